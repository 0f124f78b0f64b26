import { isIP } from 'node:net'
import { ProviderError } from '../provider.ts'
import type { Gate } from './gate.ts'

/** A URL that may be asked for, but for the addresses of its name, which are checked when they are known. */
export interface Target {
  readonly url: URL
  /** The operator allows this host and port, whatever its address. */
  readonly isTrusted: boolean
}

/** The address must not be asked for, whatever it would answer: it is not public, or the operator has not allowed it. */
export class ClosedTargetError extends ProviderError {
  constructor(message: string) {
    super('bad_reference', message)
  }
}

const LONGEST = 2048

/** Names that never are a public host's. A name without a dot isn't one either. */
const CLOSED_SUFFIXES = new Set([
  'alt',
  'arpa',
  'corp',
  'home',
  'internal',
  'intranet',
  'invalid',
  'lan',
  'local',
  'localdomain',
  'localhost',
  'onion',
  'private',
  'test',
])

/** Reads what a client or a redirect has sent. Throws a bad_reference for what must not be asked for. */
export function readTarget(text: string, gate: Gate, base?: URL): Target {
  if (text.length > LONGEST || /[\p{Cc}\p{Cs}\\]/u.test(text)) {
    throw refusal('the URL is too long or has characters that no URL has')
  }
  const url = URL.parse(text, base?.href)
  if (url === null) {
    throw refusal('the URL is malformed')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refusal(`the scheme is ${url.protocol}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw refusal('the URL has credentials')
  }
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  if (gate.trusted.has(`${url.hostname}:${port}`)) {
    return { url, isTrusted: true }
  }
  if (!gate.isOpenPort(Number(port))) {
    throw new ClosedTargetError(`port ${port} is closed`)
  }
  checkHost(url.hostname, gate)
  return { url, isTrusted: false }
}

function checkHost(hostname: string, gate: Gate): void {
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  if (isIP(address) !== 0) {
    if (!gate.isOpenAddress(address)) {
      throw new ClosedTargetError(`${address} is not public`)
    }
    return
  }
  const labels = hostname.replace(/\.$/, '').split('.')
  if (labels.length < 2 || labels.includes('') || CLOSED_SUFFIXES.has(labels.at(-1) ?? '')) {
    throw new ClosedTargetError(`${hostname} is no public name`)
  }
}

function refusal(message: string): ProviderError {
  return new ProviderError('bad_reference', message)
}
