import { setTimeout as sleep } from 'node:timers/promises'
import { type HeldRequest, holdRequest } from './held-request.ts'
import { makeJpeg, makeUnfinished, storeImage } from './images.ts'
import type { BenchOptions } from './options.ts'
import { type BenchedServer, openRig, type Rig } from './rig.ts'
import { median } from './rounds.ts'
import { atMost, printTable, type Row } from './table.ts'

const IMAGES = 100
const SIZE_BYTES = 150_000
/** So little that the copying of bytes is not what is measured. */
const SMALL_BYTES = 20_000
const SINGLE_WAKE_UPS = 50
const IDLE_MS = 10_000
/** Each address of this machine has about 28,000 ports of its own towards the server. */
const SOURCES = 8
const CONNECTING_AT_ONCE = 200

/** Many requests that wait for images: what they cost while nothing happens, and how fast they are answered. */
export async function benchWaiters(options: BenchOptions): Promise<void> {
  await using rig = await openRig(options)
  // Nobody is to be sent a first byte while we measure who costs nothing.
  await using server = await rig.startServer('api', { IMAGE_SOFT_WAIT_SECONDS: '600' })
  const bench: Bench = { rig, server, jpeg: await makeJpeg(SIZE_BYTES) }
  const small = await makeJpeg(SMALL_BYTES)
  await warm(bench)

  const before = await server.ask('memory')
  const first = await holdMany(bench, options.waiters)
  const after = await server.ask('memory')
  const kilobytes = (after.rssBytes - before.rssBytes) / options.waiters / 1024

  const idlePercent = await measureIdle(server)
  const wakeUpMs = await measureSingle(bench)
  const smallMs = await measureAll({ ...bench, jpeg: small }, first)
  const largeMs = await measureAll(bench, await holdMany(bench, options.waiters))
  const many = options.waiters.toLocaleString('en')
  const rows: Row[] = [
    {
      what: `memory of a waiter, ${many} held`,
      figure: kilobytes,
      unit: 'KB',
      goals: { project: atMost(18), issue: atMost(18) },
    },
    { what: `processor while ${many} wait`, figure: idlePercent, unit: '% of one', goals: { project: atMost(2) } },
    {
      what: `wake-up of one among ${many}: first byte after the commit, p50`,
      figure: wakeUpMs,
      unit: 'ms',
      goals: { project: atMost(2) },
    },
    ...[
      { jpeg: small, ms: smallMs },
      { jpeg: bench.jpeg, ms: largeMs },
    ].map(({ jpeg, ms }) => ({
      what: `all ${many}: from the first of ${IMAGES} commits to the last byte, ${Math.round(jpeg.length / 1000)} KB each`,
      figure: ms / 1000,
      unit: 's',
      goals: { project: atMost(1.2) },
    })),
  ]
  printTable('Requests that wait for an image', rows)
}

interface Bench {
  readonly rig: Rig
  readonly server: BenchedServer
  readonly jpeg: Buffer
}

/** All code has run and the heap has grown before the memory is looked at. */
async function warm(bench: Bench): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await measureAll(bench, await holdMany(bench, 200))
  }
}

interface Crowd {
  readonly images: readonly string[]
  readonly held: readonly HeldRequest[]
}

/** Resolves when the server holds all of them. */
async function holdMany(bench: Bench, waiters: number): Promise<Crowd> {
  const images = await makeUnfinished(bench.rig.database(), IMAGES)
  const held = await holdAll(
    bench,
    Array.from({ length: waiters }, (_, i) => images[i % IMAGES] ?? ''),
  )
  await untilHeld(bench.server, waiters)
  return { images, held }
}

async function holdAll({ server }: Bench, imageIds: readonly string[]): Promise<HeldRequest[]> {
  const held: HeldRequest[] = []
  for (let start = 0; start < imageIds.length; start += CONNECTING_AT_ONCE) {
    const part = imageIds.slice(start, start + CONNECTING_AT_ONCE)
    held.push(...(await Promise.all(part.map((id, i) => hold(server, id, start + i)))))
  }
  return held
}

function hold(server: BenchedServer, imageId: string, n: number): Promise<HeldRequest> {
  // Only Linux answers to all of 127.0.0.0/8.
  const source = process.platform === 'linux' ? `127.0.0.${2 + (n % SOURCES)}` : undefined
  return holdRequest({ port: server.port, path: `/api/image/${imageId}.jpg`, source })
}

async function untilHeld(server: BenchedServer, n: number): Promise<void> {
  while ((await server.ask('now')).waiters < n) {
    await sleep(20)
  }
}

async function measureIdle(server: BenchedServer): Promise<number> {
  const before = await server.ask('now')
  await sleep(IDLE_MS)
  const after = await server.ask('now')
  return ((after.cpuMs - before.cpuMs) / IDLE_MS) * 100
}

/** One after the other, beside those who go on waiting. */
async function measureSingle({ rig, server, jpeg }: Bench): Promise<number> {
  const times: number[] = []
  const { waiters } = await server.ask('now')
  for (const imageId of await makeUnfinished(rig.database(), SINGLE_WAKE_UPS)) {
    const image = await storeImage(rig, imageId, jpeg)
    const request = await hold(server, imageId, 0)
    await untilHeld(server, waiters + 1)
    await image.publish()
    const committedMs = performance.now()
    const { firstByteMs } = await request.answered
    times.push(firstByteMs - committedMs)
    request.cut()
  }
  return median(times)
}

/** Finishes the images of a crowd, and cuts its connections when all have their bytes. */
async function measureAll({ rig, jpeg }: Bench, { images, held }: Crowd): Promise<number> {
  const stored = await Promise.all(images.map((imageId) => storeImage(rig, imageId, jpeg)))
  const startedMs = performance.now()
  const [answers] = await Promise.all([
    Promise.all(held.map(({ answered }) => answered)),
    ...stored.map((image) => image.publish()),
  ])
  for (const request of held) {
    request.cut()
  }
  return Math.max(...answers.map(({ lastByteMs }) => lastByteMs)) - startedMs
}
