import { once } from 'node:events'
import { createSyntheticProvider } from '@wombat/generation'
import { encodeImage } from '@wombat/images'
import { migrateQueue, openPostgresQueue } from '@wombat/queue'
import sharp from 'sharp'
import { makeAccounts } from './accounts.ts'
import type { BenchOptions } from './options.ts'
import { openRig, type Rig } from './rig.ts'
import { interleave, median } from './rounds.ts'
import { atMost, printTable, type Row } from './table.ts'

const SIDE = 1024
const ENCODINGS_A_ROUND = 10
const WAKE_UPS = 100
const IMAGES = 40

/** From a finished picture of an upstream to bytes that are ready, and how fast a job is taken up. */
export async function benchImage(options: BenchOptions): Promise<void> {
  await using rig = await openRig(options)
  const png = await paintPng()
  const encodings = await interleave(
    {
      ours: () => eachMs(() => encodeImage(png, { width: SIDE, height: SIDE, isOriginalPreserved: false })),
      library: () => eachMs(() => decodeAndEncode(png)),
    },
    { rounds: options.rounds, isWarm: false },
  )
  const pickUpMs = await measurePickUp(rig)
  const rows: Row[] = [
    {
      what: `PNG ${SIDE}² of ${(png.length / 1e6).toFixed(1)} MB to a JPEG, checks included`,
      figure: encodings.ours,
      unit: 'ms',
      limit: { what: 'libvips, decode + encode', figure: encodings.library },
      goals: { project: atMost(1.3) },
    },
    {
      what: 'job announced and picked up, p50',
      figure: pickUpMs,
      unit: 'ms',
      goals: { project: atMost(5) },
    },
    {
      what: `synthetic images from POST to ready, ${IMAGES} at once`,
      figure: await measureThroughput(rig),
      unit: '/s',
    },
  ]
  printTable('Images', rows)
}

async function paintPng(): Promise<Buffer> {
  const provider = createSyntheticProvider({ latencyMs: { min: 0, max: 0 } })
  try {
    const { bytes } = await provider.generate(
      {
        imageId: 'bench',
        model: 'gpt-image-2',
        quality: 'fast',
        style: 'photo',
        prompt: 'bench',
        originalPrompt: 'bench',
        width: SIDE,
        height: SIDE,
        index: 0,
        isOriginalPreserved: false,
        references: [],
        referenceUrls: [],
        ageMs: 0,
        onJob: async () => {},
        endUser: 'bench',
      },
      new AbortController().signal,
    )
    return bytes
  } finally {
    await provider.close()
  }
}

/** The two steps that nobody can leave out, in one pipeline, with the quality of packages/images and no check. */
async function decodeAndEncode(png: Buffer): Promise<void> {
  await sharp(png).jpeg({ quality: 85 }).toBuffer()
}

async function eachMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let turn = 0; turn < ENCODINGS_A_ROUND; turn += 1) {
    const startedMs = performance.now()
    await work()
    times.push(performance.now() - startedMs)
  }
  return median(times)
}

async function measurePickUp(rig: Rig): Promise<number> {
  await migrateQueue(rig.databaseUrl)
  const queue = await openPostgresQueue({ url: rig.databaseUrl, onError: console.error })
  try {
    const handled = new EventTarget()
    await queue.work('bench', {
      concurrency: 4,
      handler: async () => {
        handled.dispatchEvent(new Event('taken'))
      },
    })
    const times: number[] = []
    for (let turn = 0; turn < WAKE_UPS; turn += 1) {
      const taken = once(handled, 'taken')
      const startedMs = performance.now()
      await queue.announce('bench', [{ imageId: `bench-${turn}`, fence: 0 }])
      await taken
      times.push(performance.now() - startedMs)
    }
    return median(times)
  } finally {
    await queue.close()
  }
}

/** Painting, encoding, storing and the rows, in one process on all processors. */
async function measureThroughput(rig: Rig): Promise<number> {
  await using server = await rig.startServer('all', { SYNTHETIC_LATENCY_MS: '0' })
  const [apiKey] = await makeAccounts(rig.database(), 1)
  const headers = { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' }
  const make = async (prompt: string) => {
    const response = await fetch(`${server.url}/api/image-generation/`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ prompt, numImages: 4 }),
    })
    const images: { url: string }[] = JSON.parse(await response.text())
    await Promise.all(images.map(async ({ url }) => (await fetch(url)).arrayBuffer()))
  }
  await make('warm')
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: IMAGES / 4 }, (_, n) => make(`bench ${n}`)))
  return IMAGES / ((performance.now() - startedMs) / 1000)
}
