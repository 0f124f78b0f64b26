import { isIP } from 'node:net'
import type { Config } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'

/**
 * Fastify walks X-Forwarded-For from its end as far as TRUST_PROXY names who wrote an entry, but takes any text for an
 * address. Some balancers write ports, which would make each connection a client of its own, and what is no address
 * belongs to nobody: the client is then the last hop that is known.
 */
export function registerForwarded(app: FastifyInstance, { TRUST_PROXY }: Config): void {
  if (TRUST_PROXY.length === 0) {
    return
  }
  app.addHook('onRequest', ({ headers }, _reply, done) => {
    const given = headers['x-forwarded-for']
    if (typeof given === 'string' && isIP(given) === 0) {
      headers['x-forwarded-for'] = readForwarded(given).join(', ')
    }
    done()
  })
}

/** More proxies than anybody has in a row. */
const MOST_HOPS = 20
const WITH_PORT = /^(?:\[([\da-f.:]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/i

/** The addresses at the end of the list, up to the first entry that is none. */
export function readForwarded(header: string): string[] {
  const known: string[] = []
  const entries = header.split(',').slice(-MOST_HOPS).reverse()
  for (const entry of entries) {
    const text = entry.trim()
    const [, six, four] = WITH_PORT.exec(text) ?? []
    const address = six ?? four ?? text
    if (isIP(address) === 0) {
      break
    }
    known.unshift(address)
  }
  return known
}
