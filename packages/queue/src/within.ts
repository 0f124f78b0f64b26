/** True when the promise settled in time; what it settled with is the caller's business. */
export async function within(timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
  const tooLate = Promise.withResolvers<boolean>()
  const timer = setTimeout(tooLate.resolve, timeoutMs, false)
  const settled = promise.then(
    () => true,
    () => true,
  )
  try {
    return await Promise.race([settled, tooLate.promise])
  } finally {
    clearTimeout(timer)
  }
}
