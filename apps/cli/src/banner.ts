import type { WriteStream } from 'node:tty'
import type { Bootstrap, ServedModel } from '@wombat/engine'
import type { Role } from '@wombat/server'
import { credits, table } from './format.ts'
import { painter } from './paint.ts'
import { version } from './version.ts'

/** What there is to say when the server is ready. */
export interface Ready {
  /** Where clients find it; undefined for a worker or scheduler. */
  readonly url: string | undefined
  readonly role: Role
  readonly dataDir: string
  /** Where images are kept. */
  readonly store: string
  /** Without its password. */
  readonly database: string
  /** Such as BullMQ on PostgreSQL. */
  readonly queue: string
  readonly served: readonly ServedModel[]
  /** Made by this start. */
  readonly bootstrap: Bootstrap | undefined
  /** The operator chose the first key, and knows it. */
  readonly isKeyGiven: boolean
  /** Whom a further key could be made for. */
  readonly accountId: string | undefined
}

/** One line for scripts. */
export function readyJson(ready: Ready): object {
  const { url, role, dataDir, store, database, queue, served, bootstrap, accountId } = ready
  const isKeyNew = bootstrap !== undefined && !ready.isKeyGiven
  return {
    url,
    apiKey: isKeyNew ? bootstrap.apiKey : undefined,
    accountId,
    role,
    dataDir,
    store,
    database,
    queue,
    models: served,
    version: version(),
  }
}

/** For people; in colour when the stream has it. */
export function banner(ready: Ready, stream: Partial<Pick<WriteStream, 'hasColors'>>): string {
  const paint = painter(stream)
  const facts: [string, string][] = [
    ...(ready.url === undefined ? [] : [['URL', paint(['bold', 'cyan'], ready.url)] satisfies [string, string]]),
    ...(ready.url === undefined ? [] : [['API key', keyLine(ready, paint)] satisfies [string, string]]),
    ['Data', ready.dataDir],
    ['Images', ready.store],
    ['Database', ready.database],
    ['Queue', ready.queue],
    ...modelLines(ready.served).map((line, index): [string, string] => [index === 0 ? 'Models' : '', line]),
  ]
  const what = ready.role === 'all' ? 'is ready' : `is ready as ${ready.role}`
  const lines = [
    '',
    `  ${paint(['bold', 'green'], 'Wombat')} ${version()} ${what}`,
    '',
    ...facts.map(([name, value]) => `  ${paint('dim', name.padEnd(8))}  ${value}`),
    '',
  ]
  if (ready.url !== undefined) {
    lines.push(
      `  ${paint('dim', `A first image, saved as wombat.jpg${keyHint(ready)}:`)}`,
      '',
      `  ${curlLine(ready.url, shellKey(ready))}`,
      '',
    )
  }
  return lines.join('\n')
}

function keyLine(ready: Ready, paint: ReturnType<typeof painter>): string {
  const { bootstrap } = ready
  const worth = bootstrap === undefined ? '' : `Professional, ${credits(bootstrap.credits)}`
  if (ready.isKeyGiven) {
    return bootstrap === undefined ? 'your BOOTSTRAP_API_KEY' : `your BOOTSTRAP_API_KEY (${worth})`
  }
  if (bootstrap !== undefined) {
    return `${paint(['bold', 'yellow'], bootstrap.apiKey)}  (${worth}; keep it, it is shown only now)`
  }
  return `shown at the first start; another one: npx wombat key create ${ready.accountId ?? 'ACCOUNT'}`
}

function modelLines(served: readonly ServedModel[]): string[] {
  const rows = served.map(({ model, provider, reason }) => [model, provider ?? 'refused', reason])
  return table(['', '', ''], rows).split('\n').slice(1)
}

/** In a shell's double quotes: the key itself where it may be shown, or the variable that the reader fills. */
function shellKey({ bootstrap, isKeyGiven }: Ready): string {
  if (isKeyGiven) {
    return '$BOOTSTRAP_API_KEY'
  }
  return bootstrap?.apiKey ?? '$WOMBAT_API_KEY'
}

/** The line below it takes the key from the environment when this start does not know it. */
function keyHint(ready: Ready): string {
  return shellKey(ready) === '$WOMBAT_API_KEY'
    ? `, with your key in WOMBAT_API_KEY (or: npx wombat generate "a cat")`
    : ''
}

/** To be pasted as it is. The second curl waits until the image is there. */
export function curlLine(url: string, key: string): string {
  return (
    `curl -fsS ${url}/api/image-generation/ -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" ` +
    `-d '{"prompt":"a wombat reading a map by lamplight"}' | grep -o 'http[^"]*' | xargs curl -fsSo wombat.jpg`
  )
}
