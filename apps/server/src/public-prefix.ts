import type { Config } from '@wombat/engine'

/** What our own addresses begin with. A prefix that is one of them can't be told from them. */
const OURS = /^\/(api|admin|dev|docs|health|metrics|openapi\.json)(\/|$)/

/**
 * The path of PUBLIC_URL, such as /wombat. A proxy may cut it off before it asks us or hand it on: addresses are known
 * with it and without. Empty when there is none, or when the proxy has to cut it off.
 */
export function publicPrefix({ PUBLIC_URL }: Pick<Config, 'PUBLIC_URL'>): string {
  const path = PUBLIC_URL === undefined ? '' : new URL(PUBLIC_URL).pathname.replace(/\/+$/, '')
  return OURS.test(path) ? '' : path
}

/** The address of a request as our routes know it. */
export function withoutPrefix(url: string, prefix: string): string {
  if (!url.startsWith(prefix)) {
    return url
  }
  const rest = url.slice(prefix.length)
  return rest === '' || rest.startsWith('?') ? `/${rest}` : rest.startsWith('/') ? rest : url
}
