import { createHmac, randomBytes, randomInt } from 'node:crypto'
import { createPictureMaker } from './emulated-picture.ts'
import { type Answer, type EmulatedRequest, type Emulator, startEmulator } from './emulator.ts'
import { problem } from './ideogram-error.ts'
import { IDEOGRAM_LINKS, type IdeogramFault } from './ideogram-faults.ts'
import { performEarlyIdeogramFault, performIdeogramFault, toAnswer } from './ideogram-perform.ts'
import { type IdeogramOrder, readIdeogramOrder } from './ideogram-rules.ts'

export interface IdeogramEmulatorOptions {
  /** Keys that are let in; without it each is. */
  readonly keys?: readonly string[]
  readonly latencyMs?: number
  readonly port?: number
}

export interface IdeogramEmulator extends Emulator<IdeogramFault> {
  /** For the adapter: without a path. */
  readonly url: string
}

interface State {
  readonly keys: readonly string[] | undefined
  readonly makePicture: ReturnType<typeof createPictureMaker>
  /** What the links lead to, by id; the oldest are forgotten. */
  readonly made: Map<string, IdeogramOrder>
  readonly secret: Buffer
}

const LINK_LIFE_SECONDS = 24 * 3600
const REMEMBERED = 10_000

/** Ideogram's API for its model 3.0 and the links that it answers, on a free port of this machine. */
export async function startIdeogramEmulator(options: IdeogramEmulatorOptions = {}): Promise<IdeogramEmulator> {
  const { latencyMs, port, keys } = options
  const state: State = { keys, makePicture: createPictureMaker(), made: new Map(), secret: randomBytes(32) }
  const emulator = await startEmulator<IdeogramFault>({
    latencyMs,
    port,
    answer: (entry, origin) => decide(state, entry, origin),
    perform: (fault, stage) =>
      performIdeogramFault(fault, {
        ...stage,
        makePicture: state.makePicture,
        deadLink: () => `http://${stage.entry.headers.host}${sign(state, newId(), LINK_LIFE_SECONDS)}`,
        expire: (link) => new URL(sign(state, idOf(new URL(link).pathname), -60), link).href,
      }),
    performEarly: performEarlyIdeogramFault,
  })
  return { ...emulator, url: emulator.origin }
}

async function decide(state: State, entry: EmulatedRequest, origin: string): Promise<Answer> {
  if (entry.path.startsWith(IDEOGRAM_LINKS)) {
    return await showPicture(state, entry)
  }
  if (entry.path !== '/v1/ideogram-v3/generate') {
    return toAnswer(problem(404, 'Not Found', 'The requested URL was not found on the server.'))
  }
  if (entry.method !== 'POST') {
    return toAnswer(problem(405, 'Method Not Allowed', 'The method is not allowed for the requested URL.'))
  }
  const key = entry.headers['api-key']
  if (typeof key !== 'string' || key === '') {
    return toAnswer(problem(401, 'Unauthorized', 'No authorization token provided'))
  }
  if (state.keys && !state.keys.includes(key)) {
    return toAnswer(problem(401, 'Unauthorized', 'Provided authorization is not valid'))
  }
  if (!entry.headers['content-type']?.startsWith('multipart/form-data')) {
    return toAnswer(problem(415, 'Unsupported Media Type', 'Invalid Content-type, expected multipart/form-data'))
  }
  const order = readIdeogramOrder(Object(entry.body), entry.files ?? [])
  if ('error' in order) {
    return toAnswer(order)
  }
  entry.pictures = order.count
  return { status: 200, body: fulfil(state, order, origin) }
}

function fulfil(state: State, order: IdeogramOrder, origin: string): unknown {
  const data = Array.from({ length: order.count }, () => {
    const id = newId()
    state.made.set(id, order)
    return {
      url: `${origin}${sign(state, id, LINK_LIFE_SECONDS)}`,
      prompt: order.prompt,
      resolution: `${order.width}x${order.height}`,
      is_image_safe: true,
      seed: order.seed ?? randomInt(2 ** 31),
      style_type: order.styleType,
    }
  })
  for (const oldest of state.made.keys()) {
    if (state.made.size <= REMEMBERED) {
      break
    }
    state.made.delete(oldest)
  }
  return { created: new Date().toISOString().replace(/Z$/, '+00:00'), data }
}

async function showPicture(state: State, { method, path, query }: EmulatedRequest): Promise<Answer> {
  const id = idOf(path)
  if (method !== 'GET') {
    return toAnswer(problem(405, 'Method Not Allowed', 'The method is not allowed for the requested URL.'))
  }
  const exp = query.get('exp') ?? ''
  if (query.get('sig') !== signature(state, id, exp) || Number(exp) * 1000 <= Date.now()) {
    return toAnswer(problem(403, 'Forbidden', 'The link has expired'))
  }
  const order = state.made.get(id)
  if (order === undefined) {
    return toAnswer(problem(404, 'Not Found', 'The requested URL was not found on the server.'))
  }
  const { width, height, prompt } = order
  const body = await state.makePicture({ width, height, format: 'png', text: prompt })
  return { status: 200, headers: { 'content-type': 'image/png' }, body }
}

function newId(): string {
  return randomBytes(16).toString('base64url')
}

function idOf(path: string): string {
  return path.slice(IDEOGRAM_LINKS.length).replace(/\.png$/, '')
}

function sign(state: State, id: string, lifeSeconds: number): string {
  const exp = String(Math.floor(Date.now() / 1000) + lifeSeconds)
  return `${IDEOGRAM_LINKS}${id}.png?exp=${exp}&sig=${signature(state, id, exp)}`
}

function signature({ secret }: State, id: string, exp: string): string {
  return createHmac('sha256', secret).update(`${id} ${exp}`).digest('hex')
}
