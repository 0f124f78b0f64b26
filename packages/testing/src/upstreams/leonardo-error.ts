/** What the emulator answers instead of a job, in Leonardo's own form. */
export interface LeonardoError {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly error: string
  readonly code: string
}

export function leonardoError(
  status: number,
  error: string,
  { code = 'unexpected', headers = {} }: { code?: string; headers?: Record<string, string> } = {},
): LeonardoError {
  return { status, headers, error, code }
}

/** To a key that is none. */
export function hookError(): LeonardoError {
  return leonardoError(500, 'Invalid response from authorization hook')
}

/** To a key that nobody has. */
export function accessError(): LeonardoError {
  return leonardoError(401, 'Authentication hook unauthorized this request', { code: 'access-denied' })
}

export function moderationError(): LeonardoError {
  return leonardoError(403, 'content moderation filter: nudity')
}
