import { lstat, open, readdir, rm } from 'node:fs/promises'
import path from 'node:path'

const MAX_BYTES = 4_000_000
const MAX_AGE_MS = 6 * 24 * 3_600_000
const TAIL_BYTES = 2000

/** As log_filename in cluster.ts has it. As root we touch nothing else in a directory that is the server's to write. */
const NAME = /^postgres-\w+\.log$/

interface LogFile {
  readonly file: string
  readonly sizeBytes: number
  readonly mtimeMs: number
}

/** Rotation empties a file only when the server is up at midnight: this removes what is too old or large at a start. */
export async function tidyLog(clusterDir: string, { now }: { now: number }): Promise<void> {
  for (const { file, sizeBytes, mtimeMs } of await listLogs(clusterDir)) {
    if (sizeBytes > MAX_BYTES || now - mtimeMs > MAX_AGE_MS) {
      await rm(file, { force: true })
    }
  }
}

export async function findNewestLog(clusterDir: string): Promise<string | undefined> {
  const logs = await listLogs(clusterDir)
  return logs.sort((a, b) => b.mtimeMs - a.mtimeMs)[0]?.file
}

/** The last lines; nothing when there is no such file. */
export async function readTail(file: string | undefined): Promise<string> {
  await using handle = file === undefined ? undefined : await open(file).catch(() => undefined)
  if (handle === undefined) {
    return ''
  }
  const { size } = await handle.stat()
  const { buffer, bytesRead } = await handle.read({
    buffer: Buffer.alloc(TAIL_BYTES),
    position: Math.max(0, size - TAIL_BYTES),
  })
  return buffer.toString('utf8', 0, bytesRead).trim()
}

async function listLogs(clusterDir: string): Promise<LogFile[]> {
  const logDir = path.join(clusterDir, 'log')
  if (!(await lstat(logDir).catch(() => undefined))?.isDirectory()) {
    return []
  }
  const logs: LogFile[] = []
  for (const name of (await readdir(logDir)).filter((each) => NAME.test(each))) {
    const file = path.join(logDir, name)
    const stats = await lstat(file)
    if (stats.isFile()) {
      logs.push({ file, sizeBytes: stats.size, mtimeMs: stats.mtimeMs })
    }
  }
  return logs
}
