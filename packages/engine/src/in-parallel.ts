/** Does the work for each item, so many at once, and begins no further one after a failure or when it is told to stop. */
export async function inParallel<T>(
  items: Iterable<T>,
  { most, stop }: { most: number; stop: AbortSignal },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]()
  let hasFailed = false
  async function run() {
    for (let next = rest.next(); next.done !== true && !stop.aborted && !hasFailed; next = rest.next()) {
      try {
        await work(next.value)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: most }, run))
}
