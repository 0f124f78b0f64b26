import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, unlink } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { assertBlobKey, isBlobKey } from './blob-key.ts'
import { assertByteRange } from './blob-range.ts'
import type { BlobEntry, BlobStore, ByteRange } from './blob-store.ts'

/** Nobody writes for that long: what is older was left by a process that was killed. */
const ABANDONED_AFTER_MS = 3_600_000

const PUT_ATTEMPTS = 5

/** Blobs as files under one directory, which may be shared by many processes. */
export class FsStore implements BlobStore {
  readonly description: string
  readonly #dir: string
  readonly #unfinishedDir: string

  constructor(dir: string) {
    this.#dir = path.resolve(dir)
    // In the same file system, or it could not be renamed; no key leads here.
    this.#unfinishedDir = path.join(this.#dir, 'unfinished')
    this.description = `disk ${this.#dir}`
  }

  async put(key: string, bytes: Uint8Array, _contentType: string): Promise<void> {
    const file = this.#file(key)
    const unfinished = await this.#writeUnfinished(bytes)
    try {
      await this.#moveInPlace(unfinished, file)
    } catch (error) {
      await rm(unfinished, { force: true })
      throw error
    }
  }

  async read(key: string): Promise<Buffer | undefined> {
    const file = this.#file(key)
    return await unlessMissing(() => readFile(file))
  }

  async open(key: string, options: { range?: ByteRange; signal?: AbortSignal } = {}): Promise<Readable | undefined> {
    const { range, signal } = options
    const file = this.#file(key)
    signal?.throwIfAborted()
    const handle = await unlessMissing(() => open(file))
    if (handle === undefined) {
      return undefined
    }
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) {
        await handle.close()
        return undefined
      }
      if (range !== undefined) {
        assertByteRange(range, stats.size)
      }
      return handle.createReadStream({ ...range, ...(signal === undefined ? {} : { signal }) })
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async remove(key: string): Promise<void> {
    const file = this.#file(key)
    await unlessMissing(() => unlink(file))
    await this.#removeEmptyDirectories(path.dirname(file))
  }

  async *list(prefix: string): AsyncIterable<BlobEntry> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    if (folder !== '') {
      assertBlobKey(`${folder}x`)
      yield* this.#listFolder(folder, prefix)
    }
  }

  async check(): Promise<void> {
    const key = `images/check/${randomBytes(8).toString('hex')}`
    const bytes = randomBytes(64)
    try {
      await this.put(key, bytes, 'application/octet-stream')
      const found = await this.read(key)
      await this.remove(key)
      if (found === undefined || !bytes.equals(found)) {
        throw new Error('it does not give back what was written')
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`Images cannot be kept on ${this.description}: ${reason}`, { cause: error })
    }
  }

  /** Removes what killed processes began to write. Worth a call at start and once a day. */
  async tidy(now: number = Date.now()): Promise<void> {
    for (const name of (await unlessMissing(() => readdir(this.#unfinishedDir))) ?? []) {
      const file = path.join(this.#unfinishedDir, name)
      const found = await unlessMissing(() => stat(file))
      if (found !== undefined && now - found.mtimeMs > ABANDONED_AFTER_MS) {
        await rm(file, { force: true })
      }
    }
  }

  async close(): Promise<void> {}

  /** A folder sorts with the slash behind it, so that the keys come in the order of their letters. */
  async *#listFolder(folder: string, prefix: string): AsyncIterable<BlobEntry> {
    const entries = (await unlessMissing(() => readdir(path.join(this.#dir, folder), { withFileTypes: true }))) ?? []
    const keys = entries.map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    for (const key of keys.sort()) {
      if (key.endsWith('/') && key.startsWith(prefix)) {
        yield* this.#listFolder(key, prefix)
      } else if (key.startsWith(prefix) && isBlobKey(key)) {
        const found = await unlessMissing(() => stat(path.join(this.#dir, key)))
        if (found?.isFile() === true) {
          yield { key, sizeBytes: found.size, modifiedAt: found.mtime }
        }
      }
    }
  }

  #file(key: string): string {
    assertBlobKey(key)
    return path.join(this.#dir, key)
  }

  async #writeUnfinished(bytes: Uint8Array): Promise<string> {
    await mkdir(this.#unfinishedDir, { recursive: true })
    const unfinished = path.join(this.#unfinishedDir, randomBytes(12).toString('hex'))
    const handle = await open(unfinished, 'wx')
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } catch (error) {
      await rm(unfinished, { force: true })
      throw error
    } finally {
      await handle.close()
    }
    return unfinished
  }

  /** A concurrent remove may take the directory away between the two steps: then both are done again. */
  async #moveInPlace(unfinished: string, file: string): Promise<void> {
    const directory = path.dirname(file)
    for (let attempt = 1; ; attempt += 1) {
      try {
        await mkdir(directory, { recursive: true })
        await rename(unfinished, file)
        break
      } catch (error) {
        if (!isMissing(error) || attempt === PUT_ATTEMPTS) {
          throw error
        }
      }
    }
    await this.#syncUpwards(directory)
  }

  /** The name is durable when its directory is, and that when its own is; who made which of them is not known here. */
  async #syncUpwards(directory: string): Promise<void> {
    for (let each = directory; each.length >= this.#dir.length; each = path.dirname(each)) {
      await syncDirectory(each)
    }
  }

  async #removeEmptyDirectories(directory: string): Promise<void> {
    const top = path.join(this.#dir, 'images')
    for (let each = directory; each.length > top.length; each = path.dirname(each)) {
      try {
        await rmdir(each)
      } catch {
        // It holds other images, or is gone already, or may not be removed: nothing depends on it.
        return
      }
    }
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await unlessMissing(() => open(directory))
  await handle?.sync()
  await handle?.close()
}

async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (isMissing(error)) {
      return undefined
    }
    throw error
  }
}

/** ENOTDIR and EISDIR: what the key names as a directory is a file, or the other way round; so it is not an object. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && MISSING.has(error.code)
}

const MISSING: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR'])
