import type { ErrorCode, ErrorDetails } from '@wombat/contract'

/**
 * What kept an answer from coming: the server's own code; `unreachable` when nothing answered, or the answer broke off;
 * `unexpected` when something answered that is no KoalaImages-compatible server.
 */
export type WombatErrorCode = ErrorCode | 'unreachable' | 'unexpected'

export interface WombatErrorOptions extends ErrorOptions {
  readonly code: WombatErrorCode
  readonly status: number
  readonly requestId?: string | undefined
  readonly retryAfterSeconds?: number | undefined
  readonly details?: ErrorDetails | undefined
}

/** The message is a sentence for a person. */
export class WombatError extends Error {
  override readonly name = 'WombatError'
  readonly code: WombatErrorCode
  /** The HTTP status, 0 when there was no answer. */
  readonly status: number
  /** Names the request in the server's log. */
  readonly requestId: string | undefined
  /** How long the server asks to wait before the next try. */
  readonly retryAfterSeconds: number | undefined
  readonly details: ErrorDetails | undefined

  constructor(message: string, options: WombatErrorOptions) {
    super(message, options)
    this.code = options.code
    this.status = options.status
    this.requestId = options.requestId
    this.retryAfterSeconds = options.retryAfterSeconds
    this.details = options.details
  }
}
