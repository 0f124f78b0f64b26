export interface LeonardoAccess {
  readonly apiKey: string
  /** Without a version and without a slash at its end. */
  readonly baseUrl: string
  readonly model: string
  readonly pollMs: number
}

/** Answers are a few kilobytes; pictures come by link. */
export const MAX_ANSWER_BYTES = 1024 * 1024

/** Looks like a UUID, but is not of the version that Leonardo's document says. It goes into a path as it is. */
export function isLeonardoJob(id: string): boolean {
  return /^[\w-]{8,64}$/.test(id)
}

export function leonardoHeaders({ apiKey }: LeonardoAccess): Record<string, string> {
  return { accept: 'application/json', authorization: `Bearer ${apiKey}` }
}
