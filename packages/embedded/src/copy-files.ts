import { lchown, mkdir, open, readdir } from 'node:fs/promises'
import path from 'node:path'
import { errorCode } from './error-code.ts'

/** Files that are copied, and synced, at once. */
const PARALLEL = 8
const CHUNK_BYTES = 1 << 20

export interface CopyOptions {
  readonly from: string
  readonly to: string
  /** By the path below `from`; a directory that is skipped is skipped with all that is in it. */
  readonly isSkipped?: (name: string) => boolean
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  readonly stop: AbortSignal
  /** So many more have been written. */
  readonly onBytes: (bytes: number) => void
}

/**
 * Copies a tree, durably, for its owner's eyes only. What changes or vanishes meanwhile is copied as it is found, or not
 * at all: who calls this for the files of a running PostgreSQL has its log mend them. When it throws it has ended: what it
 * has left can be removed.
 */
export async function copyTree(options: CopyOptions): Promise<void> {
  const directories: string[] = []
  const files: string[] = []
  await list('', options, { directories, files })
  for (const name of directories) {
    await makeOwned(path.join(options.to, name), options.owner)
  }
  const queue = files.values()
  const broken = new AbortController()
  const stop = AbortSignal.any([options.stop, broken.signal])
  const work = async () => {
    for (const name of queue) {
      await copyFile(path.join(options.from, name), path.join(options.to, name), { ...options, stop })
    }
  }
  const workers = Array.from({ length: PARALLEL }, () =>
    work().catch((error: unknown) => {
      broken.abort(error)
    }),
  )
  await Promise.all(workers)
  stop.throwIfAborted()
  for (const name of directories.reverse()) {
    await syncDirectory(path.join(options.to, name))
  }
}

async function list(
  folder: string,
  options: CopyOptions,
  found: { directories: string[]; files: string[] },
): Promise<void> {
  found.directories.push(folder)
  const entries = await unlessMissing(() => readdir(path.join(options.from, folder), { withFileTypes: true }))
  for (const entry of entries ?? []) {
    const name = path.join(folder, entry.name)
    if (options.isSkipped?.(name) === true) {
      continue
    }
    if (entry.isDirectory()) {
      await list(name, options, found)
    } else if (entry.isFile()) {
      found.files.push(name)
    } else {
      throw new Error(`${path.join(options.from, name)} is neither a file nor a directory, and can't be copied.`)
    }
  }
}

/** Not with copyFile of Node, which would wait for the rest of a file that is cut meanwhile. */
export async function copyFile(
  from: string,
  to: string,
  { owner, stop, onBytes }: Pick<CopyOptions, 'owner' | 'stop' | 'onBytes'>,
): Promise<void> {
  stop.throwIfAborted()
  const source = await unlessMissing(() => open(from))
  if (source === undefined) {
    return
  }
  await using input = source
  await using output = await open(to, 'wx', 0o600)
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  let size = 0
  for (;;) {
    const { bytesRead } = await input.read(buffer, 0, CHUNK_BYTES, size)
    if (bytesRead === 0) {
      break
    }
    await output.writeFile(buffer.subarray(0, bytesRead))
    size += bytesRead
    onBytes(bytesRead)
    stop.throwIfAborted()
  }
  if (owner !== undefined) {
    await output.chown(owner.uid, owner.gid)
  }
  await output.sync()
}

async function makeOwned(directory: string, owner: CopyOptions['owner']): Promise<void> {
  await mkdir(directory, { mode: 0o700 })
  if (owner !== undefined) {
    await lchown(directory, owner.uid, owner.gid)
  }
}

export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory)
  await handle.sync()
}

async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      return undefined
    }
    throw error
  }
}
