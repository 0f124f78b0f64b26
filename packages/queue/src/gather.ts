/**
 * Runs one batch at a time; what arrives meanwhile goes together into the next, so a burst costs few statements and an
 * idle caller waits for nothing. Every caller is told how its own batch ended.
 */
export function gather<T>(
  run: (batch: readonly T[]) => Promise<void>,
  limits: { batch: number; waiting: number },
): (items: readonly T[]) => Promise<void> {
  let next: { items: T[]; done: Promise<void> } | undefined
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  const startBatch = () => {
    const items: T[] = []
    const batch = {
      items,
      done: last.then(() => {
        next = next === batch ? undefined : next
        waiting -= items.length
        return run(items)
      }),
    }
    last = batch.done.catch(() => {
      // Its callers have the error; the batch behind it must run all the same.
    })
    return batch
  }

  return async (items) => {
    if (waiting + items.length > limits.waiting) {
      throw new Error(`more than ${limits.waiting} items are waiting`)
    }
    if (next === undefined || next.items.length + items.length > limits.batch) {
      next = startBatch()
    }
    next.items.push(...items)
    waiting += items.length
    await next.done
  }
}
