import { randomUUID } from 'node:crypto'
import { createPictureMaker } from './emulated-picture.ts'
import { type Answer, type EmulatedRequest, type Emulator, startEmulator } from './emulator.ts'
import { accessError, hookError, type LeonardoError, leonardoError } from './leonardo-error.ts'
import type { LeonardoFault } from './leonardo-faults.ts'
import { performEarlyFault, performFault, refuse } from './leonardo-perform.ts'
import { isFields, type LeonardoOrder, readLeonardoOrder } from './leonardo-rules.ts'

export interface LeonardoEmulatorOptions {
  /** Keys that are let in; without it each is. */
  readonly keys?: readonly string[]
  readonly latencyMs?: number
  /** How long a job is PENDING. */
  readonly jobMs?: number
  readonly port?: number
}

export interface LeonardoEmulator extends Emulator<LeonardoFault> {
  /** Without a version. */
  readonly url: string
  /** Counts for the jobs under way too. */
  setJobMs(jobMs: number): void
}

interface Job extends LeonardoOrder {
  readonly id: string
  readonly startedMs: number
}

interface State {
  readonly keys: readonly string[] | undefined
  readonly jobs: Map<string, Job>
  readonly makePicture: ReturnType<typeof createPictureMaker>
  jobMs: number
}

/** Words in a prompt that say how its job ends. */
const FAIL_WORD = '#fail'
const FILTERED_WORD = '#filtered'
const NSFW_WORD = '#nsfw'

const DOLLARS = { FAST: 0.0147, QUALITY: 0.0294, ULTRA: 0.0441 }
const CREDITS = { FAST: 8, QUALITY: 16, ULTRA: 24 }

/** Leonardo's API, both versions, and its CDN on a free port of this machine, as strict as providers.md says it is. */
export async function startLeonardoEmulator(options: LeonardoEmulatorOptions = {}): Promise<LeonardoEmulator> {
  const state: State = {
    keys: options.keys,
    jobs: new Map(),
    makePicture: createPictureMaker(),
    jobMs: options.jobMs ?? 0,
  }
  const emulator = await startEmulator<LeonardoFault>({
    latencyMs: options.latencyMs,
    port: options.port,
    headers: () => ({ 'x-request-id': randomUUID() }),
    answer: (entry, origin) => decide(state, entry, origin),
    perform: performFault,
    performEarly: performEarlyFault,
  })
  return {
    ...emulator,
    url: `${emulator.origin}/api/rest`,
    setJobMs(jobMs) {
      state.jobMs = jobMs
    },
  }
}

async function decide(state: State, entry: EmulatedRequest, origin: string): Promise<Answer> {
  const route = `${entry.method} ${entry.path}`
  const picture = /^GET \/cdn\/([\w-]+)\/\d\.jpg$/.exec(route)
  if (picture) {
    return deliver(state, picture[1] ?? '')
  }
  const locked = checkKey(state, entry)
  if (locked) {
    return refuse(locked)
  }
  const poll = /^GET \/api\/rest\/v1\/generations\/([\w-]+)$/.exec(route)
  if (poll) {
    return report(state, poll[1] ?? '', origin)
  }
  switch (route) {
    case 'GET /api/rest/v1/me':
      return { status: 200, body: { user_details: [{ user: { id: 'emulated', username: 'emulated' } }] } }
    case 'POST /api/rest/v1/generations':
      return order(state, entry, 'v1')
    case 'POST /api/rest/v2/generations':
      return order(state, entry, 'v2')
    default:
      return refuse(leonardoError(404, 'resource does not exist', { code: 'not-found' }))
  }
}

function checkKey({ keys }: State, { headers }: EmulatedRequest): LeonardoError | undefined {
  const key = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1]
  if (key === undefined) {
    return accessError()
  }
  if (keys === undefined || keys.includes(key)) {
    return undefined
  }
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(key) ? accessError() : hookError()
}

function order(state: State, entry: EmulatedRequest, version: 'v1' | 'v2'): Answer {
  const isJson = (entry.headers['content-type'] ?? '').startsWith('application/json')
  if (!isJson || !isFields(entry.body)) {
    return refuse(leonardoError(400, 'invalid json body', { code: 'bad-request' }))
  }
  const wanted = readLeonardoOrder(version, entry.body)
  if ('error' in wanted) {
    return refuse(wanted)
  }
  const id = nextId()
  state.jobs.set(id, { ...wanted, id, startedMs: performance.now() })
  entry.pictures = wanted.count
  const amount = (DOLLARS[wanted.mode] * wanted.count).toFixed(4)
  const job = {
    generationId: id,
    apiCreditCost: version === 'v1' ? CREDITS[wanted.mode] * wanted.count : null,
    cost: { amount, unit: 'DOLLARS' },
  }
  return { status: 200, body: version === 'v1' ? { sdGenerationJob: job } : { generate: job } }
}

/** UUID-like, and not of version 4. */
function nextId(): string {
  const id = randomUUID()
  return `${id.slice(0, 14)}6${id.slice(15)}`
}

function report(state: State, id: string, origin: string): Answer {
  const job = state.jobs.get(id)
  if (job === undefined) {
    return { status: 200, body: { generations_by_pk: null } }
  }
  const status = statusOf(state, job)
  const images = status === 'COMPLETE' ? Array.from({ length: job.count }, (_, index) => image(job, origin, index)) : []
  const categories = status === 'FAILED' && job.prompt.includes(FILTERED_WORD) ? ['NSFW', 'EXTREME_VIOLENCE'] : []
  const generation = {
    id: job.id,
    status,
    generated_images: images,
    prompt: job.prompt,
    negativePrompt: '',
    modelId: job.model,
    imageWidth: job.width,
    imageHeight: job.height,
    public: false,
    createdAt: '2026-11-22T10:00:00.000',
    prompt_moderations: [{ moderationClassification: categories }],
  }
  return { status: 200, body: { generations_by_pk: generation } }
}

function statusOf({ jobMs }: State, job: Job): 'PENDING' | 'COMPLETE' | 'FAILED' {
  if (performance.now() < job.startedMs + jobMs) {
    return 'PENDING'
  }
  return job.prompt.includes(FAIL_WORD) || job.prompt.includes(FILTERED_WORD) ? 'FAILED' : 'COMPLETE'
}

function image(job: Job, origin: string, index: number) {
  return {
    id: `${job.id}-${index}`,
    url: `${origin}/cdn/${job.id}/${index}.jpg`,
    nsfw: job.prompt.includes(NSFW_WORD),
    likeCount: 0,
    motionMP4URL: null,
    generated_image_variation_generics: [],
  }
}

async function deliver(state: State, id: string): Promise<Answer> {
  const job = state.jobs.get(id)
  if (job === undefined || statusOf(state, job) !== 'COMPLETE') {
    return { status: 403, headers: { 'content-type': 'application/xml' }, body: Buffer.from('<Error/>') }
  }
  const { width, height, prompt } = job
  const picture = await state.makePicture({ width, height, format: 'jpeg', text: prompt })
  return { status: 200, headers: { 'content-type': 'image/jpeg' }, body: picture }
}
