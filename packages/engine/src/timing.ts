/** How long images took lately, in this process: an exponential mean a model, for estimates. */
export interface Timing {
  record(model: string, seconds: number): void
  typicalSeconds(model: string): number | undefined
}

const WEIGHT = 0.2

export function createTiming(): Timing {
  const means = new Map<string, number>()
  return {
    record(model, seconds) {
      const mean = means.get(model)
      means.set(model, mean === undefined ? seconds : mean + WEIGHT * (seconds - mean))
    },
    typicalSeconds: (model) => means.get(model),
  }
}
