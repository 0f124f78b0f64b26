/** What a promise resolves to, or undefined when that takes longer; what comes later is nobody's concern. */
export async function withPatience<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const tooLate = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => tooLate.resolve(undefined), ms)
  try {
    return await Promise.race([promise, tooLate.promise])
  } finally {
    clearTimeout(timer)
  }
}
