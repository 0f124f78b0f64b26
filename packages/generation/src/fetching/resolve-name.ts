import { Resolver } from 'node:dns/promises'

const TIMEOUT_MS = 1500
const TRIES = 2

/**
 * All addresses of a name, IPv4 first. Asks the name servers for exactly this name: no hosts file, no search domains,
 * and no thread of libuv's pool, of which an attacker's slow name server could take all.
 */
export async function resolveName(hostname: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
  const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const [failure] = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
  if (addresses.length === 0) {
    throw failure ?? new Error('the name has no addresses')
  }
  return addresses
}
