import { ProviderError } from './provider.ts'
import { textField } from './untrusted.ts'

/**
 * What a request that got no answer of HTTP comes to: transient when it is certain that nothing was sent, else unknown.
 * `vendor` is who was asked, for the message.
 */
export function toNetworkFailure(error: unknown, vendor: string): ProviderError {
  const code = networkCode(error)
  if (isBeforeSending(error)) {
    return new ProviderError('transient', `${vendor} can't be reached (${code ?? 'no connection'})`, { cause: error })
  }
  return new ProviderError('unknown', `the request to ${vendor} was sent, but no answer came (${code ?? 'cut off'})`, {
    cause: error,
  })
}

/** Faults that end a request before its first byte has left. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EPROTO',
  'UND_ERR_CONNECT_TIMEOUT',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

function isBeforeSending(error: unknown): boolean {
  return causes(error).some((cause) => {
    const code = textField(cause, 'code') ?? ''
    if (NOT_SENT.has(code) || /^(CERT_|ERR_TLS_|ERR_SSL_)/.test(code)) {
      return true
    }
    if (code === 'ETIMEDOUT') {
      return textField(cause, 'syscall') === 'connect'
    }
    return code === 'ECONNRESET' && /before secure TLS connection/.test(textField(cause, 'message') ?? '')
  })
}

function networkCode(error: unknown): string | undefined {
  return causes(error)
    .map((cause) => textField(cause, 'code') ?? '')
    .find((code) => /^[A-Z_]{3,60}$/.test(code))
}

/** The error and what lies under it: undici wraps once, the SDK once more. */
function causes(error: unknown): unknown[] {
  const chain: unknown[] = []
  for (let at = error; at instanceof Error && chain.length < 6; at = at.cause) {
    chain.push(at)
  }
  return chain
}
