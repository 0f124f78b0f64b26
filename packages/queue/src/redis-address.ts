/** Where Redis is, as a REDIS_URL says it. */
export type RedisAddress = RedisLogin &
  (
    | { readonly kind: 'single'; readonly nodes: readonly [RedisNode]; readonly db: number }
    | {
        readonly kind: 'sentinel'
        readonly nodes: readonly RedisNode[]
        readonly name: string
        readonly db: number
        readonly sentinelUsername: string | undefined
        readonly sentinelPassword: string | undefined
      }
    | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] }
  )

export interface RedisNode {
  readonly host: string
  readonly port: number
}

interface RedisLogin {
  readonly isEncrypted: boolean
  readonly username: string | undefined
  readonly password: string | undefined
}

const URL_SHAPE = /^redis(s?)(-sentinel|-cluster)?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const NODE_SHAPE = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+))(?::([1-9]\d{0,4}))?$/
const PORT = 6379
const SENTINEL_PORT = 26379

/** The forms that a REDIS_URL may have, for messages. */
export const REDIS_URL_FORMS =
  'redis://host:6379, rediss:// with TLS, redis-sentinel://host:26379,host:26379/name or redis-cluster://host:6379,host:6379'

/**
 * Reads `redis://user:password@host:port/db`, `redis-sentinel://host:port,host:port/name/db` and
 * `redis-cluster://host:port,host:port`, each also with `rediss` for TLS. Undefined: it is none of them.
 */
export function parseRedisUrl(url: string): RedisAddress | undefined {
  const [, tls, kind, login, hosts = '', path = '', query] = URL_SHAPE.exec(url) ?? []
  const nodes = hosts.split(',').map((text) => parseNode(text, kind === '-sentinel' ? SENTINEL_PORT : PORT))
  const [first] = nodes
  const credentials = parseLogin(login)
  if (first === undefined || credentials === undefined || !nodes.every((node) => node !== undefined)) {
    return undefined
  }
  const common = { isEncrypted: tls === 's', ...credentials }
  if (kind === '-cluster') {
    return path === '' ? { ...common, kind: 'cluster', nodes } : undefined
  }
  const [name = '', dbText] = kind === '-sentinel' ? path.split('/') : ['-', path]
  const db = parseDatabase(dbText)
  if (db === undefined || name === '') {
    return undefined
  }
  if (kind === '-sentinel') {
    const parameters = new URLSearchParams(query)
    return {
      ...common,
      kind: 'sentinel',
      nodes,
      name: decodeURIComponent(name),
      db,
      sentinelUsername: parameters.get('sentinelUsername') ?? undefined,
      sentinelPassword: parameters.get('sentinelPassword') ?? undefined,
    }
  }
  return nodes.length === 1 ? { ...common, kind: 'single', nodes: [first], db } : undefined
}

/** For people: never a user or a password. */
export function describeRedis(address: RedisAddress): string {
  const hosts = address.nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(', ')
  switch (address.kind) {
    case 'single':
      return hosts
    case 'sentinel':
      return `${address.name} of the sentinels ${hosts}`
    case 'cluster':
      return `the cluster ${hosts}`
  }
}

function parseNode(text: string, defaultPort: number): RedisNode | undefined {
  const [, six, name, portText] = NODE_SHAPE.exec(text.trim()) ?? []
  const host = six ?? name
  const port = Number(portText ?? defaultPort)
  return host === undefined || port > 65_535 ? undefined : { host, port }
}

/** `user:password@`, `:password@`; each may be percent-encoded. */
function parseLogin(text: string | undefined): Pick<RedisLogin, 'username' | 'password'> | undefined {
  if (text === undefined) {
    return { username: undefined, password: undefined }
  }
  const colon = text.indexOf(':')
  const parts = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  try {
    const [username = '', password = ''] = parts.map(decodeURIComponent)
    return { username: username || undefined, password: password || undefined }
  } catch {
    // A stray percent sign: whoever wrote it has to encode it.
    return undefined
  }
}

function parseDatabase(text: string | undefined): number | undefined {
  if (text === undefined || text === '') {
    return 0
  }
  return /^\d{1,5}$/.test(text) ? Number(text) : undefined
}
