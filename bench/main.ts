import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import type { BenchOptions } from './options.ts'

const SCRIPTS: ReadonlyMap<string, () => Promise<(options: BenchOptions) => Promise<void>>> = new Map([
  ['post', async () => (await import('./post.ts')).benchPost],
  ['get', async () => (await import('./get.ts')).benchGet],
  ['waiters', async () => (await import('./waiters.ts')).benchWaiters],
  ['image', async () => (await import('./image.ts')).benchImage],
  ['restart', async () => (await import('./restart.ts')).benchRestart],
  ['outage', async () => (await import('./outage.ts')).tryOutage],
  ['restarts', async () => (await import('./restarts.ts')).tryRestarts],
  ['growth', async () => (await import('./growth.ts')).tryGrowth],
])

/** Trials that take minutes, and only run when they are named. */
const TRIALS = ['outage', 'restarts', 'growth']

const USAGE = `usage: npm run bench -- [${[...SCRIPTS.keys()].join(' | ')} ...] [--seconds 4] [--rounds 3] [--waiters 2000] [--outage 120] [--images 1000000] [--profile DIR]`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    waiters: { type: 'string', default: '2000' },
    outage: { type: 'string', default: '120' },
    images: { type: 'string', default: '1000000' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const options: BenchOptions = {
  seconds: Number(values.seconds),
  rounds: Number(values.rounds),
  waiters: Number(values.waiters),
  outageSeconds: Number(values.outage),
  images: Number(values.images),
  profileDir: values.profile,
}
const names = positionals.length === 0 ? [...SCRIPTS.keys()].filter((name) => !TRIALS.includes(name)) : positionals
const areNumbersRight = [options.seconds, options.rounds, options.waiters, options.outageSeconds, options.images].every(
  (one) => Number.isInteger(one) && one > 0,
)

if (values.help || !areNumbersRight || names.some((name) => !SCRIPTS.has(name))) {
  console.log(USAGE)
  process.exitCode = values.help ? 0 : 2
} else {
  console.log(
    `Node ${process.versions.node}, ${availableParallelism()} processors (${cpus()[0]?.model ?? 'unknown'}), ${new Date().toISOString()}`,
  )
  for (const name of names) {
    const load = SCRIPTS.get(name)
    await (await load?.())?.(options)
  }
}
