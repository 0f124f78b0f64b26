/** What `wombat` ends with; apps/cli/README.md explains them. Scripts depend on these numbers. */
export const EXIT_CODES = {
  /** It failed, or something does not add up. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A setting is wrong or does not fit this machine. */
  configuration: 3,
  /** The database or the server can't be reached. */
  unreachable: 4,
  /** There is no such account, plan, key, image, route, webhook or delivery. */
  not_found: 5,
  /** It can't be done as things stand: too few credits, a plan, an image that is done. */
  refused: 6,
  /** Ctrl-C or a signal ended it early. */
  interrupted: 130,
} as const

export type FailureCode = keyof typeof EXIT_CODES

/** Ends the command with one line for the operator, which says what to do. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: FailureCode

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The `code` of a system error such as EADDRINUSE, or undefined for every other thing that was thrown. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

export function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
