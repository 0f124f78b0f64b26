import { FormatError } from './config-parsers.ts'

export interface AdminToken {
  /** Who it is, for the audit log. */
  readonly name: string
  readonly token: string
}

const PART = /^(?:([A-Za-z0-9][A-Za-z0-9._-]{0,31}):)?([A-Za-z0-9._~+/=-]{24,256})$/
const EXPECTED =
  'a secret of 24 to 256 letters, digits and ._~+/=-, or several as name:secret with commas between them, all different'

/** `SECRET`, whose name is `admin`, or `ann:SECRET,deploy:SECRET`. */
export function adminTokens(value: string): readonly AdminToken[] {
  const tokens = value.split(',').map((part) => {
    const [, name = 'admin', token] = PART.exec(part.trim()) ?? []
    if (token === undefined) {
      throw new FormatError(EXPECTED)
    }
    return { name, token }
  })
  // Two of a name could not be told apart in the audit log.
  for (const field of ['name', 'token'] as const) {
    if (new Set(tokens.map((one) => one[field])).size < tokens.length) {
      throw new FormatError(EXPECTED)
    }
  }
  return tokens
}
