/** The middle one; of an even number the lower of the two. NaN for none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
}

type Sides = Readonly<Record<string, () => Promise<number>>>

/**
 * Measures several things in turn, again and again, so that whatever slows the machine for a while slows all of them,
 * and answers the median of each. `warm` runs each once before that and forgets the figures.
 */
export async function interleave<S extends Sides>(
  sides: S,
  { rounds, isWarm = false }: { rounds: number; isWarm?: boolean },
): Promise<Record<keyof S, number>> {
  const figures = new Map<string, number[]>(Object.keys(sides).map((name) => [name, []]))
  for (let round = isWarm ? 1 : 0; round <= rounds; round += 1) {
    for (const [name, measure] of Object.entries(sides)) {
      const figure = await measure()
      if (round > 0) {
        figures.get(name)?.push(figure)
      }
    }
  }
  return toMedians(figures)
}

/** The names are those of the sides. */
function toMedians<S extends Sides>(figures: ReadonlyMap<string, number[]>): Record<keyof S, number> {
  return Object.fromEntries([...figures].map(([name, values]) => [name, median(values)])) as Record<keyof S, number>
}
