import pg from 'pg'

export interface Listener {
  /** Calls back for each notification of a channel until the answer is called. */
  subscribe(channel: string, callback: (payload: string) => void): Promise<() => void>
  /** Calls back whenever notifications may have been missed: the connection was lost and is there again. */
  onGap(callback: () => void): void
  readonly isConnected: boolean
  close(): Promise<void>
}

const RECONNECT_DELAY_MS = { first: 50, most: 5_000 }

/**
 * The one LISTEN connection of a process, with any number of subscribers. It comes back by itself after a loss, and
 * then tells `onGap`, since what was notified in between is gone.
 */
export async function openListener(options: {
  url: string
  applicationName: string
  onError: (error: Error) => void
}): Promise<Listener> {
  const listener = new ReconnectingListener(options)
  await listener.connect()
  return listener
}

class ReconnectingListener implements Listener {
  readonly #options: { url: string; applicationName: string; onError: (error: Error) => void }
  readonly #callbacks = new Map<string, Set<(payload: string) => void>>()
  readonly #gapCallbacks: (() => void)[] = []
  #client: pg.Client | undefined
  #retry: NodeJS.Timeout | undefined
  #delayMs = RECONNECT_DELAY_MS.first
  #isClosed = false

  constructor(options: { url: string; applicationName: string; onError: (error: Error) => void }) {
    this.#options = options
  }

  get isConnected() {
    return this.#client !== undefined
  }

  async connect() {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: `${this.#options.applicationName} listen`,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    })
    client.on('error', (error) => this.#lost(client, error))
    client.on('end', () => this.#lost(client))
    client.on('notification', ({ channel, payload }) => {
      for (const callback of this.#callbacks.get(channel) ?? []) {
        callback(payload ?? '')
      }
    })
    try {
      await client.connect()
      for (const channel of this.#callbacks.keys()) {
        await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`)
      }
    } catch (error) {
      client.end().catch(() => {})
      throw error
    }
    if (this.#isClosed) {
      await client.end().catch(() => {})
      return
    }
    this.#client = client
    this.#delayMs = RECONNECT_DELAY_MS.first
  }

  async subscribe(channel: string, callback: (payload: string) => void) {
    let callbacks = this.#callbacks.get(channel)
    if (callbacks === undefined) {
      callbacks = new Set()
      this.#callbacks.set(channel, callbacks)
      await this.#client?.query(`LISTEN ${pg.escapeIdentifier(channel)}`)
    }
    callbacks.add(callback)
    return () => {
      this.#callbacks.get(channel)?.delete(callback)
    }
  }

  onGap(callback: () => void) {
    this.#gapCallbacks.push(callback)
  }

  async close() {
    this.#isClosed = true
    clearTimeout(this.#retry)
    const client = this.#client
    this.#client = undefined
    // The connection may be broken already; nothing is left to do for it then.
    await client?.end().catch(() => {})
  }

  #lost(client: pg.Client, error?: Error) {
    if (client !== this.#client) {
      return
    }
    this.#client = undefined
    if (!this.#isClosed) {
      this.#options.onError(error ?? new Error('the LISTEN connection was closed'))
      this.#reconnectLater()
    }
  }

  #reconnectLater() {
    this.#retry = setTimeout(() => void this.#reconnect(), this.#delayMs)
    this.#delayMs = Math.min(this.#delayMs * 2, RECONNECT_DELAY_MS.most)
  }

  async #reconnect() {
    try {
      await this.connect()
    } catch (error) {
      // It may have been closed meanwhile: nobody wants to hear of it then, and a further try would keep the process.
      if (!this.#isClosed) {
        this.#options.onError(error instanceof Error ? error : new Error(String(error)))
        this.#reconnectLater()
      }
      return
    }
    for (const callback of this.#gapCallbacks) {
      callback()
    }
  }
}
