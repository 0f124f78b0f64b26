import { setTimeout as sleep } from 'node:timers/promises'
import { withClient } from '@wombat/database'
import { verifyLedger } from '@wombat/ledger'
import { type OpenAiFault, startIdeogramEmulator, startOpenAiEmulator } from '@wombat/testing'
import { makeAccounts } from './accounts.ts'
import type { BenchOptions } from './options.ts'
import { openRig } from './rig.ts'

const IMAGES = 200
const EVERY_OTHER_MS = 15_000
/** The hosted models' usual times, about half. */
const OPENAI_MS = 4_000
const IDEOGRAM_MS = 2_000
/** What the upstream does while it is away, in turns. */
const FAULTS: readonly OpenAiFault[] = ['overloaded', 'bad_gateway_html', 'reset_after_reading', 'hang']

/**
 * A trial, not a measurement: 200 images with clients that wait, and an outage of OpenAI in the middle of them, with
 * every figure at its default. Ideogram's images are ordered all the while. Prints what came of it.
 */
export async function tryOutage({ outageSeconds }: BenchOptions): Promise<void> {
  const [openai, ideogram] = await Promise.all([
    startOpenAiEmulator({ latencyMs: OPENAI_MS }),
    startIdeogramEmulator({ latencyMs: IDEOGRAM_MS }),
  ])
  await using stack = new AsyncDisposableStack()
  stack.use(openai)
  stack.use(ideogram)
  const rig = stack.use(await openRig({ profileDir: undefined }))
  const server = await rig.startServer('all', {
    SYNTHETIC: 'off',
    OPENAI_API_KEY: 'sk-trial',
    OPENAI_BASE_URL: openai.url,
    IDEOGRAM_API_KEY: 'trial',
    IDEOGRAM_BASE_URL: ideogram.origin,
    PROVIDER_ALLOW_PRIVATE: 'true',
  })
  const [first = '', second = ''] = await makeAccounts(rig.database(), 2)
  const startedMs = performance.now()
  const say = (text: string) => console.log(`${secondsSince(startedMs).toFixed(1).padStart(6)} s  ${text}`)

  const arrivals: number[] = []
  const order = async (key: string, body: object): Promise<void> => {
    const [url = ''] = await post(server.url, key, body)
    await follow(url)
    arrivals.push(performance.now())
  }
  const openaiOrder = (n: number) =>
    order(n % 2 === 0 ? first : second, { prompt: `wombat ${n}`, enhancePrompt: 'off' })
  say(`${IMAGES / 2} images are ordered`)
  const waiting = Array.from({ length: IMAGES / 2 }, (_, n) => openaiOrder(n))
  await sleep(OPENAI_MS * 2)

  const outageMs = performance.now()
  const callsBefore = openai.requests.length
  say(`OpenAI goes away for ${outageSeconds} s; ${arrivals.length} images have arrived; ${IMAGES / 2} more are ordered`)
  waiting.push(...Array.from({ length: IMAGES / 2 }, (_, n) => openaiOrder(IMAGES / 2 + n)))
  const others: number[] = []
  for (let turn = 0; secondsSince(outageMs) < outageSeconds; turn += 1) {
    openai.setFault(FAULTS[turn % FAULTS.length])
    const otherMs = performance.now()
    const [url = ''] = await post(server.url, first, { prompt: 'wombat', model: 'ideogram-3.0' })
    await follow(url)
    others.push(performance.now() - otherMs)
    const restMs = Math.min(
      EVERY_OTHER_MS - (performance.now() - otherMs),
      outageSeconds * 1000 - (performance.now() - outageMs),
    )
    await sleep(Math.max(0, restMs))
  }
  const calls = openai.requests.length - callsBefore
  say(`OpenAI is back; it was asked ${calls} times meanwhile; ${arrivals.length} images have arrived`)
  openai.setFault(undefined)
  const backMs = performance.now()
  const before = arrivals.length
  await Promise.all(waiting)
  say(`all ${arrivals.length} images have arrived`)

  const { faults } = await verifyLedger(rig.database())
  const [books] = await withClient(rig.databaseUrl, async (client) => (await client.query(BOOKS)).rows)
  const done = openai.requests.filter(({ pictures, status }) => pictures > 0 && status === 200).length
  console.log(`
first image after the outage  ${((arrivals[before] ?? Number.NaN) - backMs).toFixed(0)} ms after its end
last image                    ${((arrivals.at(-1) ?? Number.NaN) - backMs).toFixed(0)} ms after its end
Ideogram meanwhile            ${others.length} images, the slowest in ${Math.max(...others).toFixed(0)} ms
pictures that OpenAI made     ${done} for ${IMAGES} images
charges, refunds, states      ${books.charges}, ${books.refunds}, ${books.states}
attempts by their outcome     ${books.attempts}
ledger                        ${faults.length === 0 ? 'adds up' : JSON.stringify(faults.slice(0, 3))}`)
}

const BOOKS = `SELECT
  (SELECT count(*) FROM ledger_entries WHERE kind = 'charge')::int AS charges,
  (SELECT count(*) FROM ledger_entries WHERE kind = 'refund')::int AS refunds,
  (SELECT string_agg(status || ' ' || n, ', ') FROM (SELECT status, count(*) AS n FROM images GROUP BY 1) s) AS states,
  (SELECT string_agg(concat_ws(' ', route, outcome, failure, n), ', ')
   FROM (SELECT route, outcome, failure, count(*) AS n FROM attempts GROUP BY 1, 2, 3 ORDER BY 1, 2, 3) a) AS attempts`

function secondsSince(sinceMs: number): number {
  return (performance.now() - sinceMs) / 1000
}

async function post(url: string, key: string, body: object): Promise<string[]> {
  const response = await fetch(`${url}/api/image-generation/`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) {
    throw new Error(`${response.status} ${await response.text()}`)
  }
  return ((await response.json()) as { url: string }[]).map((image) => image.url)
}

/** As a client does that only knows the address: it waits, however long that takes. */
async function follow(url: string): Promise<void> {
  const response = await fetch(url)
  const bytes = await response.arrayBuffer()
  if (response.status !== 200 || bytes.byteLength < 1000) {
    throw new Error(`${url} answered ${response.status} with ${bytes.byteLength} bytes`)
  }
}
