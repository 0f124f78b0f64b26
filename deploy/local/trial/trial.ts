import { setTimeout as sleep } from 'node:timers/promises'
import { startOpenAiEmulator } from '@wombat/testing'
import { type Cluster, type ClusterOptions, startCluster } from '../cluster.ts'
import { openGate } from './gate.ts'
import { type Delivery, orderOne, type Trouble } from './orders.ts'
import { planSteps, type Step, takeStep } from './steps.ts'
import { assertEmpty, judge, type StepTaken } from './verdict.ts'

export interface TrialOptions extends Pick<ClusterOptions, 'directory' | 'port' | 'databaseUrl' | 'report'> {
  readonly images: number
  /** How many wait at once. */
  readonly clients: number
  readonly stop: AbortSignal
  /** Some of the steps. All unless given. */
  readonly isWanted?: (step: Step) => boolean
}

const CREDITS = 1_000_000
const OPENAI_MS = 1_500
/** Between two orders. Two cores make about twice as many. */
const EVERY_MS = 120
/** Nothing arrives for so long: something is broken for good. */
const STANDSTILL_MS = 180_000
const POLL_MS = 20

/** What clients and steps have in common. */
interface Course {
  readonly deliveries: Delivery[]
  readonly troubles: Trouble[]
  readonly faults: string[]
  readonly taken: StepTaken[]
}

/** Sends images through a cluster while its parts are restarted and killed one by one, prints what came of it, and answers each fault. */
export async function runTrial(options: TrialOptions): Promise<string[]> {
  const { images, clients, stop, report } = options
  await using stack = new AsyncDisposableStack()
  const openai = stack.use(await startOpenAiEmulator({ latencyMs: OPENAI_MS }))
  const cluster = stack.use(await startCluster({ ...options, settings: settingsOf(openai.url) }))
  await assertEmpty(cluster.databaseUrl)
  const startedMs = performance.now()
  const say = (text: string) => report(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${text}`)
  const course: Course = { deliveries: [], troubles: [], faults: [], taken: [] }

  say(`${cluster.parts.length} parts run behind ${cluster.url}; ${images} images are ordered by ${clients} clients`)
  const gate = openGate(images, { everyMs: EVERY_MS, stop })
  const waiting = Promise.all(Array.from({ length: clients }, () => runClient(gate.enter, cluster, course, stop)))
  const steps = planSteps(cluster).filter(options.isWanted ?? (() => true))
  const share = images / (steps.length + 1)
  for (const [index, step] of steps.entries()) {
    // Some are still waiting when the step begins, and others are ordered in the midst of it.
    gate.allow(Math.ceil(share * (index + 1)))
    await untilEnded(course, Math.ceil(share * (index + 1)) - clients / 2, stop)
    gate.allow(Math.ceil(share * (index + 2)))
    const taken = { name: step.name, atMs: Date.now(), endMs: Number.POSITIVE_INFINITY }
    course.taken.push(taken)
    const beganMs = performance.now()
    const met = course.troubles.length
    await takeStep(cluster, step)
    taken.endMs = Date.now()
    const tookSeconds = ((performance.now() - beganMs) / 1000).toFixed(1)
    const arrived = course.deliveries.length
    say(
      `${step.name.padEnd(17)} ${tookSeconds.padStart(5)} s; ${arrived} have arrived, ${course.troubles.length - met} calls broke`,
    )
  }
  gate.allow(images)
  await waiting
  stop.throwIfAborted()
  say(`all ${course.deliveries.length} have arrived`)
  const verdict = await judge(cluster, { ...course, orders: images, credits: CREDITS })
  const faults = [...course.faults, ...verdict.faults]
  report(`\n${verdict.lines.join('\n')}\n`)
  report(faults.length === 0 ? 'Everything agrees.' : `Faults:\n${faults.map((fault) => `- ${fault}`).join('\n')}`)
  return faults
}

async function runClient(
  nextOrder: () => Promise<number | undefined>,
  { url, apiKey }: Cluster,
  { deliveries, troubles, faults, taken }: Course,
  stop: AbortSignal,
): Promise<void> {
  const ordering = {
    url,
    apiKey,
    stop,
    onTrouble: (cause: string) => troubles.push({ cause, during: taken.at(-1)?.name ?? 'no step' }),
  }
  for (let n = await nextOrder(); n !== undefined; n = await nextOrder()) {
    try {
      deliveries.push(await orderOne(n, ordering))
    } catch (error) {
      stop.throwIfAborted()
      faults.push(`order ${n}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

/** Nothing of a .env may come in between, and no upstream of the world may be asked. */
function settingsOf(openaiUrl: string): Record<string, string> {
  return {
    SYNTHETIC: 'auto',
    SYNTHETIC_LATENCY_MS: '300-1500',
    OPENAI_API_KEY: 'sk-trial',
    OPENAI_BASE_URL: openaiUrl,
    IDEOGRAM_API_KEY: '',
    GEMINI_API_KEY: '',
    LEONARDO_API_KEY: '',
    KOALA_API_KEY: '',
    ROUTES_FILE: '',
    BOOTSTRAP_CREDITS: String(CREDITS),
    RATE_LIMIT_PER_MINUTE: '1000000',
    LOG_LEVEL: 'info',
  }
}

async function untilEnded({ deliveries, faults }: Course, wanted: number, stop: AbortSignal): Promise<void> {
  const count = () => deliveries.length + faults.length
  let last = count()
  let lastMs = performance.now()
  while (count() < wanted) {
    stop.throwIfAborted()
    await sleep(POLL_MS)
    if (count() !== last) {
      last = count()
      lastMs = performance.now()
    }
    if (performance.now() - lastMs > STANDSTILL_MS) {
      throw new Error(`Nothing has arrived for ${STANDSTILL_MS / 1000} s; ${last} were there before.`)
    }
  }
}
