import { type AuthenticatedKey, findKey, hashKey } from '@wombat/accounts'
import type { Database, Listener } from '@wombat/database'
import { LRUCache } from 'lru-cache'
import { readAgain } from './read-again.ts'

/**
 * Keys that were looked up lately, so that a busy client costs no query. A revocation drops all of them in every
 * process at once; the time to live is for the case that its notification is lost.
 */
export interface KeyCache {
  /** Undefined for a key that is unknown, revoked or expired. Concurrent calls for one key share a query. */
  find(apiKey: string): Promise<AuthenticatedKey | undefined>
  /** Forgets everything. */
  clear(): void
}

const MOST_KEYS = 10_000
const TIME_TO_LIVE_MS = 5_000

export async function openKeyCache(db: Database, listener: Listener): Promise<KeyCache> {
  const cache = new LRUCache<string, { key: AuthenticatedKey | undefined }>({
    max: MOST_KEYS,
    ttl: TIME_TO_LIVE_MS,
    // A look-up that is under way when the cache is cleared is answered to who asked, and not remembered.
    ignoreFetchAbort: true,
    fetchMethod: async (hash) => ({ key: await readAgain(() => findKey(db, Buffer.from(hash, 'base64'))) }),
  })
  const clear = () => cache.clear()
  await listener.subscribe('wombat_accounts', clear)
  listener.onGap(clear)
  return {
    clear,
    async find(apiKey) {
      const found = await cache.fetch(hashKey(apiKey).toString('base64'))
      const key = found?.key
      return key?.expiresAtMs !== undefined && key.expiresAtMs <= Date.now() ? undefined : key
    },
  }
}
