import { Worker } from 'node:worker_threads'
import { ProviderError } from '../provider.ts'
import type { Draw, Drawn } from './draw-thread.ts'
import type { PictureRequest } from './picture.ts'

interface Job {
  readonly id: number
  readonly request: PictureRequest
  readonly resolve: (bytes: Buffer) => void
  readonly reject: (error: Error) => void
}

const THREAD = new URL('./draw-thread.ts', import.meta.url)
const DRAWING_TIMEOUT_MS = 30_000

/**
 * Draws in one thread of its own, started by the first picture, so that nobody else's loop waits for a brush. A
 * thread that breaks fails the picture it was at, and the next picture gets a new thread.
 */
export class Easel {
  readonly #entry: URL
  readonly #timeoutMs: number
  readonly #waiting: Job[] = []
  #current: Job | undefined
  #thread: Worker | undefined
  #timer: NodeJS.Timeout | undefined
  #nextId = 1
  #isClosed = false

  constructor(options: { entry?: URL; timeoutMs?: number } = {}) {
    this.#entry = options.entry ?? THREAD
    this.#timeoutMs = options.timeoutMs ?? DRAWING_TIMEOUT_MS
  }

  /** Rejects at once when `signal` fires; a picture already under the brush is finished and thrown away. */
  async draw(request: PictureRequest, signal: AbortSignal): Promise<Buffer> {
    if (this.#isClosed) {
      throw new ProviderError('transient', 'the synthetic provider is closed')
    }
    if (signal.aborted) {
      throw aborted(signal)
    }
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const job: Job = { id: this.#nextId, request, resolve, reject }
    this.#nextId += 1
    const stop = (): void => {
      const place = this.#waiting.indexOf(job)
      if (place >= 0) {
        this.#waiting.splice(place, 1)
      }
      reject(aborted(signal))
    }
    signal.addEventListener('abort', stop, { once: true })
    this.#waiting.push(job)
    this.#advance()
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const thread = this.#thread
    this.#drop(new ProviderError('transient', 'the synthetic provider was closed'))
    for (const job of this.#waiting.splice(0)) {
      job.reject(new ProviderError('transient', 'the synthetic provider was closed'))
    }
    await thread?.terminate()
  }

  #advance(): void {
    if (this.#current || this.#isClosed) {
      return
    }
    const job = this.#waiting.shift()
    if (!job) {
      return
    }
    try {
      this.#thread ??= this.#start()
      const draw: Draw = { id: job.id, request: job.request }
      this.#thread.postMessage(draw)
    } catch (cause) {
      job.reject(new ProviderError('transient', 'the drawing thread could not be started', { cause }))
      this.#advance()
      return
    }
    const thread = this.#thread
    this.#current = job
    this.#timer = setTimeout(() => this.#broken(thread, new Error('the drawing took too long')), this.#timeoutMs)
  }

  #start(): Worker {
    // The environment is emptied of secrets, and system fonts stay out: pictures must not depend on the machine.
    const thread = new Worker(this.#entry, { env: { DISABLE_SYSTEM_FONTS_LOAD: '1' }, execArgv: [], name: 'synthetic' })
    thread.on('message', (drawn: Drawn) => this.#finish(thread, drawn))
    thread.on('error', (error) => this.#broken(thread, error))
    thread.on('exit', (code) => this.#broken(thread, new Error(`the drawing thread ended with code ${code}`)))
    return thread
  }

  #finish(thread: Worker, drawn: Drawn): void {
    const job = this.#current
    if (thread !== this.#thread || job?.id !== drawn.id) {
      return
    }
    clearTimeout(this.#timer)
    this.#current = undefined
    if ('bytes' in drawn) {
      job.resolve(Buffer.from(drawn.bytes.buffer))
    } else {
      job.reject(new ProviderError('transient', `the picture could not be drawn: ${drawn.error}`))
    }
    this.#advance()
  }

  #broken(thread: Worker, cause: unknown): void {
    if (thread !== this.#thread) {
      return
    }
    this.#drop(new ProviderError('transient', 'the drawing thread broke', { cause }))
    void thread.terminate()
    this.#advance()
  }

  #drop(error: ProviderError): void {
    clearTimeout(this.#timer)
    const job = this.#current
    this.#current = undefined
    this.#thread = undefined
    job?.reject(error)
  }
}

function aborted(signal: AbortSignal): ProviderError {
  return new ProviderError('transient', 'the drawing was called off', { cause: signal.reason })
}
