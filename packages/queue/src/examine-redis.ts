import { isClusterClient, openRedisClients } from './redis-clients.ts'

export interface RedisFacts {
  /** Host and port, without a password. */
  readonly where: string
  /** Such as `7.0.15`, of the oldest of its nodes. */
  readonly version: string
  /** What would go wrong some day, each with what to do about it. */
  readonly warnings: readonly { readonly fault: string; readonly remedy: string }[]
}

const OLDEST = [6, 2]

/** Connects for a moment and asks every node. Throws with the reason when Redis can't be reached. */
export async function examineRedis(url: string): Promise<RedisFacts> {
  const clients = await openRedisClients(url, { name: 'wombat-examine', onError: () => {} })
  try {
    const { impatient } = clients
    const nodes = isClusterClient(impatient) ? impatient.nodes('master') : [impatient]
    const infos = await Promise.all(nodes.map(async (node) => parseInfo(await node.info())))
    const versions = infos.map((info) => info.get('redis_version') ?? '0')
    const oldest = versions.toSorted(compareVersions)[0] ?? '0'
    const policy = infos.map((info) => info.get('maxmemory_policy')).find((one) => one !== 'noeviction')
    return {
      where: clients.where,
      version: oldest,
      warnings: [
        ...(compareVersions(oldest, OLDEST.join('.')) < 0
          ? [{ fault: `Redis ${oldest} is too old for the queue`, remedy: `use ${OLDEST.join('.')} or newer` }]
          : []),
        ...(policy === undefined
          ? []
          : [
              {
                fault: `maxmemory-policy is ${policy}: a full Redis would throw jobs away`,
                remedy: 'set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)',
              },
            ]),
      ],
    }
  } finally {
    clients.close()
  }
}

function parseInfo(text: string): Map<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line): [string, string][] => {
      const colon = line.indexOf(':')
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]]
    }),
  )
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map((part) => Number.parseInt(part, 10) || 0))
  const difference = [0, 1, 2].map((index) => (left?.[index] ?? 0) - (right?.[index] ?? 0)).find((one) => one !== 0)
  return difference ?? 0
}
