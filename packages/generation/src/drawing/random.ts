import { createHash } from 'node:crypto'

/** A seeded source of numbers: the same seed always gives the same picture. */
export interface Random {
  /** From 0 up to, never reaching, 1. */
  next(): number
  between(low: number, high: number): number
  /** A whole number, both ends included. */
  integer(low: number, high: number): number
  pick<T>(list: readonly T[]): T
  chance(probability: number): boolean
}

/** sfc32, seeded by SHA-256: fast, and even one changed letter of the seed changes everything. */
export function createRandom(seed: string): Random {
  const hash = createHash('sha256').update(seed).digest()
  let a = hash.readInt32LE(0)
  let b = hash.readInt32LE(4)
  let c = hash.readInt32LE(8)
  let d = hash.readInt32LE(12)
  const next = (): number => {
    const sum = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 4294967296
  }
  for (let round = 0; round < 12; round += 1) {
    next()
  }
  const between = (low: number, high: number): number => low + (high - low) * next()
  return {
    next,
    between,
    integer: (low, high) => Math.floor(between(low, high + 1)),
    pick(list) {
      const chosen = list[Math.floor(next() * list.length)]
      if (chosen === undefined) {
        throw new RangeError('nothing to pick from')
      }
      return chosen
    },
    chance: (probability) => next() < probability,
  }
}

/** Smooth noise along a line, from -1 to 1. */
export type Noise = (x: number) => number

/** Sums `octaves` of value noise, each twice as fine and half as high as the one before. */
export function createNoise(random: Random, octaves: number): Noise {
  const table = Float64Array.from({ length: 256 }, () => random.between(-1, 1))
  const at = (index: number): number => table[index & 255] ?? 0
  const single = (x: number): number => {
    const cell = Math.floor(x)
    const t = x - cell
    const eased = t * t * (3 - 2 * t)
    return at(cell) * (1 - eased) + at(cell + 1) * eased
  }
  return (x) => {
    let sum = 0
    let weight = 1
    let total = 0
    for (let octave = 0; octave < octaves; octave += 1) {
      sum += single(x * 2 ** octave + octave * 37.3) * weight
      total += weight
      weight /= 2
    }
    return sum / total
  }
}

/** The outline of mountains, from 0 to about 1: straight flanks between peaks and passes, broken up ever finer. */
export function createRange(random: Random): Noise {
  const table = Float64Array.from({ length: 256 }, (_, index) =>
    index % 2 === 0 ? random.between(0.55, 1) : random.between(0.08, 0.45),
  )
  const broken = Float64Array.from({ length: 256 }, () => random.between(-1, 1))
  const straight = (list: Float64Array, x: number): number => {
    const cell = Math.floor(x)
    const t = x - cell
    return (list[cell & 255] ?? 0) * (1 - t) + (list[(cell + 1) & 255] ?? 0) * t
  }
  return (x) => {
    let height = straight(table, x)
    for (let octave = 1; octave < 5; octave += 1) {
      height += straight(broken, x * 2.7 ** octave + octave * 53) * 0.16 * 0.5 ** (octave - 1)
    }
    return Math.max(0, height)
  }
}

/** Noise over a plane, from -1 to 1. */
export function createField(random: Random): (x: number, y: number) => number {
  const table = Float64Array.from({ length: 1024 }, () => random.between(-1, 1))
  const at = (x: number, y: number): number => table[(x * 73 + y * 179) & 1023] ?? 0
  const ease = (t: number): number => t * t * (3 - 2 * t)
  return (x, y) => {
    const column = Math.floor(x)
    const row = Math.floor(y)
    const across = ease(x - column)
    const down = ease(y - row)
    const upper = at(column, row) * (1 - across) + at(column + 1, row) * across
    const lower = at(column, row + 1) * (1 - across) + at(column + 1, row + 1) * across
    return upper * (1 - down) + lower * down
  }
}
