import type { WakeupHandler } from './job-queue.ts'

interface Run {
  readonly controller: AbortController
  readonly abandon: () => void
}

/** The handlers of one lane that are under way, and the three ways to end them: wait, abort, abandon. */
export class RunningHandlers {
  readonly #handler: WakeupHandler
  readonly #onError: (error: unknown) => void
  readonly #runs = new Set<Run>()

  constructor(handler: WakeupHandler, onError: (error: unknown) => void) {
    this.#handler = handler
    this.#onError = onError
  }

  /** Ends with the handler, however that ends, and never rejects. */
  async run(imageId: string): Promise<void> {
    const controller = new AbortController()
    const abandoned = Promise.withResolvers<void>()
    const run: Run = { controller, abandon: abandoned.resolve }
    this.#runs.add(run)
    try {
      await Promise.race([this.#handler(imageId, controller.signal), abandoned.promise])
    } catch (error) {
      // A handler that stops because it was told to has nothing to report.
      if (error !== controller.signal.reason) {
        this.#onError(error)
      }
    } finally {
      this.#runs.delete(run)
    }
  }

  abort(reason: Error): void {
    for (const { controller } of this.#runs) {
      controller.abort(reason)
    }
  }

  /** Stops waiting for handlers that ignore their signal: their jobs end here, though their code goes on. */
  abandon(): void {
    for (const { abandon } of this.#runs) {
      this.#onError(new Error('a handler ignored its signal and was abandoned'))
      abandon()
    }
  }
}
