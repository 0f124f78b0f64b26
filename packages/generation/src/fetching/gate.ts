import { isPublicAddress } from './public-address.ts'
import { resolveName } from './resolve-name.ts'

/** Where downloads may go. */
export interface Gate {
  /** `host:port` as URLs write them. What is in here may have any name, address and port. */
  readonly trusted: Pick<ReadonlySet<string>, 'has'>
  isOpenPort(port: number): boolean
  isOpenAddress(address: string): boolean
  /** All addresses of a name. */
  resolve(hostname: string): Promise<readonly string[]>
}

/** The gate to the public internet, with the operator's exceptions. */
export function createGate(allowHosts: readonly string[]): Gate {
  return {
    trusted: new Set(allowHosts.flatMap(normalize)),
    isOpenPort: (port) => port === 80 || port === 443,
    isOpenAddress: isPublicAddress,
    resolve: resolveName,
  }
}

/** Anything goes, private addresses too: for links of an upstream that the operator keeps on his own network. */
export function createOpenGate(): Gate {
  return { ...createGate([]), trusted: { has: () => true } }
}

/** The way that a URL writes it: [0:0::1]:080 is [::1]:80. What can't stand in a URL allows nothing. */
function normalize(host: string): string[] {
  const url = URL.parse(`http://${host}`)
  return url === null ? [] : [`${url.hostname}:${url.port || '80'}`]
}
