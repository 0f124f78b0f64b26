import type { Config } from '@wombat/engine'

const PROBE_MS = 1_500

/** Where a client on this machine finds the server of these settings: HOST may be "all addresses". */
export function localUrl({ HOST, PORT }: Pick<Config, 'HOST' | 'PORT'>): string {
  const name = HOST === '0.0.0.0' ? '127.0.0.1' : HOST === '::' ? '::1' : HOST
  return `http://${name.includes(':') ? `[${name}]` : name}:${PORT}`
}

/** The address in the URLs of images that clients get. */
export function publicUrl(config: Pick<Config, 'HOST' | 'PORT' | 'PUBLIC_URL'>): string {
  const name = config.HOST === '0.0.0.0' || config.HOST === '::' ? 'localhost' : config.HOST
  return config.PUBLIC_URL ?? `http://${name.includes(':') ? `[${name}]` : name}:${config.PORT}`
}

/** The address under which a server of these settings answers now, or undefined. */
export async function findRunningServer(
  config: Pick<Config, 'HOST' | 'PORT' | 'PUBLIC_URL'>,
): Promise<string | undefined> {
  const candidates = [localUrl(config), ...(config.PUBLIC_URL === undefined ? [] : [config.PUBLIC_URL])]
  for (const url of candidates) {
    if (await isAlive(url)) {
      return url
    }
  }
  return undefined
}

async function isAlive(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(PROBE_MS), redirect: 'error' })
    const body: unknown = await response.json()
    return response.ok && typeof body === 'object' && body !== null && 'status' in body && body.status === 'ok'
  } catch {
    // Nothing there, or something else than a Wombat.
    return false
  }
}
