import type { Count, Counters } from '@wombat/engine'

export interface CountedName {
  readonly name: string
  readonly limit: number
}

interface Known extends Count {
  readonly heardMs: number
  /** What this process has counted and not told the others yet. */
  untold: number
}

/** Others may have counted since: what was heard longer ago is no ground to let a request pass. */
const FRESH_MS = 250
const TELL_EVERY_MS = 50
/** As long as no more than half of a limit is used, a twentieth of it may be told later. */
const FAR = 1 / 2
const UNTOLD = 1 / 20

/**
 * Counts in the store that all processes share. A request waits for the store only when its limit may be near: far
 * from it, its count is told with those of the next 50 ms, which saves a POST a round trip. So a limit can be passed
 * by a twentieth for each process, and only when half of it is used up within a quarter of a second; below 20 it is
 * exact.
 */
export class SharedCounts {
  readonly #counters: Counters
  readonly #known = new Map<string, Known>()
  #isTelling = false

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /** One more for each of the names, and how many that makes. Undefined: the store is away. */
  async count(wanted: readonly CountedName[]): Promise<readonly Count[] | undefined> {
    const far = wanted.map((one) => this.#findFar(one)).filter((one) => one !== undefined)
    if (far.length === wanted.length) {
      return far.map((one) => {
        one.untold += 1
        return { count: one.count + one.untold, resetMs: one.resetMs - (performance.now() - one.heardMs) }
      })
    }
    const names = wanted.map(({ name }) => name)
    const counts = await this.#counters.count(names)
    return counts?.map((count, index) => this.#hear(names[index] ?? '', count))
  }

  #findFar({ name, limit }: CountedName): Known | undefined {
    const one = this.#known.get(name)
    const ageMs = performance.now() - (one?.heardMs ?? 0)
    if (one === undefined || ageMs > FRESH_MS || ageMs >= one.resetMs) {
      return undefined
    }
    const isFar = one.count + one.untold + 1 <= limit * FAR && one.untold + 1 <= limit * UNTOLD
    return isFar ? one : undefined
  }

  #hear(name: string, { count, resetMs }: Count): Count {
    const untold = this.#known.get(name)?.untold ?? 0
    this.#known.set(name, { count, resetMs, heardMs: performance.now(), untold })
    this.#tellSoon()
    return { count: count + untold, resetMs }
  }

  #tellSoon() {
    if (!this.#isTelling) {
      this.#isTelling = true
      setTimeout(() => void this.#tell(), TELL_EVERY_MS).unref()
    }
  }

  async #tell() {
    await this.#tellAll()
    this.#forget()
    this.#isTelling = false
    if (this.#known.size > 0) {
      this.#tellSoon()
    }
  }

  async #tellAll() {
    const told = [...this.#known].map(([name, { untold }]) => ({ name, by: untold })).filter(({ by }) => by > 0)
    if (told.length === 0) {
      return
    }
    const counts = await this.#counters.add(told)
    for (const [index, { name, by }] of told.entries()) {
      const one = this.#known.get(name)
      if (one !== undefined) {
        one.untold -= by
      }
      const count = counts?.[index]
      if (count !== undefined) {
        this.#hear(name, count)
      }
    }
  }

  #forget() {
    for (const [name, { heardMs, untold }] of this.#known) {
      if (untold === 0 && performance.now() - heardMs > FRESH_MS) {
        this.#known.delete(name)
      }
    }
  }
}
