/** What the emulator answers instead of a link. */
export interface IdeogramError {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** JSON, but for a Buffer. */
  readonly error: unknown
}

/** The stock form of connexion, whose controllers Ideogram's document names; its own form is published for 422 only. */
export function problem(
  status: number,
  title: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): IdeogramError {
  const error = { type: 'about:blank', title, detail, status }
  return { status, headers: { 'content-type': 'application/problem+json', ...headers }, error }
}

/** The one error whose body is documented. */
export function safetyError(): IdeogramError {
  return {
    status: 422,
    error: { error: 'Prompt provided failed safety check due to the inclusion of prohibited content.' },
  }
}
