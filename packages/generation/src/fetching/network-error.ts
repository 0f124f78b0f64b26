import { ProviderError } from '../provider.ts'

/** Codes of the socket, the name servers and libuv for what may be different in a second. */
const PASSING = new Set([
  'EAI_AGAIN',
  'EBADRESP',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EPIPE',
  'EREFUSED',
  'ESERVFAIL',
  'ETIMEDOUT',
  'ETIMEOUT',
])

/** This machine is short of something, which says nothing of the reference. */
const OWN_SHORTAGE = new Set(['EADDRNOTAVAIL', 'EAGAIN', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/** Puts what Node throws into one of two classes: transient, or bad_reference for names, certificates and nonsense. */
export function toDownloadError(error: unknown): ProviderError {
  if (error instanceof ProviderError) {
    return error
  }
  const code = readCode(error)
  const failure = PASSING.has(code) || OWN_SHORTAGE.has(code) ? 'transient' : 'bad_reference'
  return new ProviderError(failure, `the connection failed: ${code || 'no code'}`, { cause: error })
}

/** True when the reference is not to blame, however often it was tried. */
export function isOwnShortage(error: ProviderError): boolean {
  return OWN_SHORTAGE.has(readCode(error.cause))
}

function readCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
