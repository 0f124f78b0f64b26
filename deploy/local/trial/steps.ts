import type { Cluster, PartName } from '../cluster.ts'

/** One thing that is done to the cluster while images go through it. */
export interface Step {
  readonly part: PartName
  readonly how: 'restart' | 'kill'
  /** Such as `kill worker-1`. */
  readonly name: string
}

const WOMBATS: readonly PartName[] = ['api-1', 'worker-1', 'api-2', 'worker-2', 'scheduler']
const OTHERS: readonly PartName[] = ['nginx', 'redis', 's3', 'postgres']

/** All that is restarted before anything is killed: what a restart costs is not mistaken for the cost of a kill. */
export function planSteps(cluster: Cluster): Step[] {
  const there = new Set(cluster.parts.map(({ name }) => name))
  const parts = [...WOMBATS, ...OTHERS].filter((name) => there.has(name))
  return (['restart', 'kill'] as const).flatMap((how) => parts.map((part) => ({ part, how, name: `${how} ${part}` })))
}

/** Until the part does its work again. */
export async function takeStep(cluster: Cluster, { part: name, how }: Step): Promise<void> {
  const part = cluster.part(name)
  if (how === 'restart') {
    await part.restart()
    return
  }
  await part.kill()
  await part.start()
}
