import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CliError, messageOf, systemCode } from './errors.ts'

/*
 * A directory of backups: `databases/TIME/postgres` are copies of the database, each whole when it has this name, and
 * `blobs` the images of all of them. An object has one content for ever, so that a later backup only adds to it.
 */

const FACTS = 'backup.json'

export interface Backup {
  /** Such as 20261128T144500Z; in the order of time. */
  readonly name: string
  readonly at: string
  /** Of Wombat. */
  readonly version: string
  /** PostgreSQL's number of the cluster, which a restored one keeps. Undefined: not known. */
  readonly cluster: string | undefined
  /** Whether `blobs` has the images of this copy. */
  readonly hasImages: boolean
}

/** Oldest first. Empty for a directory that is empty or not there; throws for one that is something else. */
export async function listBackups(place: string): Promise<Backup[]> {
  const entries = await readdir(place).catch((error: unknown): string[] => {
    if (systemCode(error) === 'ENOENT') {
      return []
    }
    throw new CliError('configuration', `${place} can't be read: ${messageOf(error)}`, { cause: error })
  })
  if (entries.length > 0 && !entries.includes('databases')) {
    throw new CliError('usage', `${place} is neither empty nor a directory of backups: name another one`)
  }
  const names =
    entries.length === 0 ? [] : (await readdir(databases(place))).filter((name) => /^\d{8}T\d{6}Z$/.test(name))
  const backups = await Promise.all(names.sort().map((name) => readBackup(place, name)))
  return backups.filter((backup) => backup !== undefined)
}

/** Undefined for a directory without its facts, as an interrupted copy of one: it must not hide those that are whole. */
async function readBackup(place: string, name: string): Promise<Backup | undefined> {
  const text = await readFile(path.join(databases(place), name, FACTS), 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') {
      return ''
    }
    throw error
  })
  try {
    const { at, version, cluster, hasImages } = JSON.parse(text)
    return {
      name,
      at: String(at),
      version: String(version),
      cluster: typeof cluster === 'string' ? cluster : undefined,
      hasImages: hasImages === true,
    }
  } catch {
    return undefined
  }
}

/** Where the cluster of a backup is. */
export function clusterOf(place: string, { name }: Pick<Backup, 'name'>): string {
  return path.join(databases(place), name, 'postgres')
}

export interface UnfinishedBackup extends AsyncDisposable {
  readonly clusterDir: string
  /** Gives it its name, and removes the oldest until so many are left. Answers the names of those that went. */
  finish(facts: Omit<Backup, 'name'>, keep: number | undefined): Promise<{ name: string; removed: string[] }>
}

/** What a backup that was broken off has left is removed first: call it by one process at a time. Disposing removes what is not finished. */
export async function beginBackup(place: string): Promise<UnfinishedBackup> {
  // As the data directory itself, whoever may read the place: prompts, the secrets of webhooks, pictures under their addresses.
  await mkdir(databases(place), { recursive: true, mode: 0o700 })
  await mkdir(path.join(place, 'blobs'), { recursive: true, mode: 0o700 })
  for (const name of await readdir(databases(place))) {
    if (name.endsWith('.unfinished')) {
      await rm(path.join(databases(place), name), { recursive: true, force: true })
    }
  }
  const name = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const unfinished = path.join(databases(place), `${name}.unfinished`)
  await mkdir(unfinished, { mode: 0o700 })
  return {
    clusterDir: path.join(unfinished, 'postgres'),
    async finish(facts, keep) {
      await writeFile(path.join(unfinished, FACTS), `${JSON.stringify(facts)}\n`, { flush: true })
      await syncDirectory(unfinished)
      await rename(unfinished, path.join(databases(place), name))
      await syncDirectory(databases(place))
      // Whatever the clock said when they were made: never the one that was made just now.
      const others = (await listBackups(place)).map((old) => old.name).filter((old) => old !== name)
      const removed = keep === undefined ? [] : others.slice(0, Math.max(0, others.length + 1 - keep))
      for (const old of removed) {
        // A name that is no backup's first, so that half of one is never taken for one.
        const going = path.join(databases(place), `${old}.unfinished`)
        await rename(path.join(databases(place), old), going)
        await rm(going, { recursive: true, force: true })
      }
      return { name, removed }
    },
    [Symbol.asyncDispose]: () => rm(unfinished, { recursive: true, force: true }),
  }
}

/** So that a power cut does not undo a name. */
async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory)
  await handle.sync()
}

function databases(place: string): string {
  return path.join(place, 'databases')
}
