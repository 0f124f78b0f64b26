import { setTimeout as sleep } from 'node:timers/promises'
import { startOpenAiEmulator } from '@wombat/testing'
import { type ClusterOptions, startCluster } from '../cluster.ts'
import { type Delivery, orderOne, type Trouble } from './orders.ts'
import { planSteps, type Step, takeStep } from './steps.ts'
import { judge } from './verdict.ts'

export interface TrialOptions extends Pick<ClusterOptions, 'directory' | 'port' | 'databaseUrl' | 'report'> {
  readonly images: number
  /** How many wait at once. */
  readonly clients: number
  readonly stop: AbortSignal
  /** All unless given. */
  readonly only?: (step: Step) => boolean
}

const CREDITS = 1_000_000
const OPENAI_MS = 1_500
/** Nothing arrives for so long: something is broken for good. */
const STANDSTILL_MS = 180_000
const POLL_MS = 20

/** Sends images through a cluster while its parts are restarted and killed one by one, prints what came of it, and answers each fault. */
export async function runTrial(options: TrialOptions): Promise<string[]> {
  const { images, stop, report } = options
  await using stack = new AsyncDisposableStack()
  const openai = stack.use(await startOpenAiEmulator({ latencyMs: OPENAI_MS }))
  const cluster = stack.use(await startCluster({ ...options, settings: settingsOf(openai.url) }))
  const startedMs = performance.now()
  const say = (text: string) => report(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${text}`)
  const faults: string[] = []
  const deliveries: Delivery[] = []
  const troubles: Trouble[] = []
  let during = 'before the first step'

  say(
    `${cluster.parts.length} processes run behind ${cluster.url}; ${images} images are ordered, ${options.clients} clients at a time`,
  )
  const ordering = {
    url: cluster.url,
    apiKey: cluster.apiKey,
    stop,
    during: () => during,
    onTrouble: (trouble: Trouble) => troubles.push(trouble),
  }
  const orders = Array.from({ length: images }, (_, n) => images - 1 - n)
  const client = async () => {
    for (let n = orders.pop(); n !== undefined && !stop.aborted; n = orders.pop()) {
      await orderOne(n, ordering).then(
        (delivery) => deliveries.push(delivery),
        (error: unknown) => faults.push(`order ${n}: ${error instanceof Error ? error.message : String(error)}`),
      )
    }
  }
  const clients = Promise.all(Array.from({ length: options.clients }, client))
  const steps = planSteps(cluster).filter(options.only ?? (() => true))
  for (const [index, step] of steps.entries()) {
    const due = Math.ceil((images * (index + 0.5)) / (steps.length + 1))
    await untilArrived(() => deliveries.length + faults.length, due, stop)
    during = step.name
    const met = troubles.length
    const beganMs = performance.now()
    await takeStep(cluster, step)
    say(
      `${step.name.padEnd(17)} took ${((performance.now() - beganMs) / 1000).toFixed(1)} s; ${deliveries.length} have arrived, ${troubles.length - met} calls met it`,
    )
  }
  await clients
  say(`all ${deliveries.length} have arrived`)
  stop.throwIfAborted()
  faults.push(...unforgivable(troubles))
  const verdict = await judge(cluster, { orders: images, deliveries, credits: CREDITS })
  faults.push(...verdict.faults)
  report(`\n${verdict.lines.join('\n')}\n\n${describeTroubles(troubles)}\n`)
  report(faults.length === 0 ? 'Everything agrees.' : `Faults:\n${faults.map((fault) => `- ${fault}`).join('\n')}`)
  return faults
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

async function untilArrived(count: () => number, wanted: number, stop: AbortSignal): Promise<void> {
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

/** A restart of a part of Wombat must not be seen through nginx, and neither must nginx's own. */
function unforgivable(troubles: readonly Trouble[]): string[] {
  return troubles
    .filter(({ during }) => /^(before|restart (api|worker|scheduler|nginx))/.test(during))
    .map(({ cause, during }) => `a client met ${cause} during: ${during}`)
}

function describeTroubles(troubles: readonly Trouble[]): string {
  if (troubles.length === 0) {
    return 'No client had to try anything again.'
  }
  const counts = new Map<string, number>()
  for (const { during, cause } of troubles) {
    const line = `  ${during.padEnd(20)} ${cause}`
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  const lines = [...counts].map(([line, count]) => `${line} × ${count}`)
  return `Clients tried ${troubles.length} calls again, which the API is made for:\n${lines.join('\n')}`
}
