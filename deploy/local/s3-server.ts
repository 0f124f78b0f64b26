/*
 * The S3 server, as a process of its own: fauxqs, with its objects in files. Its own start listens on all addresses and
 * stops at 11 MB, so it is put together here. It answers a PUT after both files of the object are written; neither is
 * synced, so a killed process loses nothing that it has confirmed, and a machine that loses its power may.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { buildApp } from 'fauxqs'

type Stores = NonNullable<NonNullable<Parameters<typeof buildApp>[0]>['stores']>

const { S3_PORT = '', S3_DIRECTORY = '', S3_BUCKET = '' } = process.env
const MOST_BYTES = 64_000_000

await mkdir(S3_DIRECTORY, { recursive: true })
await removeTorn(S3_DIRECTORY)
const app = buildApp({ logger: false, stores: await openStores() })
for (const type of ['image/jpeg', 'image/png']) {
  app.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit: MOST_BYTES }, (_, body, done) => done(null, body))
}
await app.listen({ port: Number(S3_PORT), host: '127.0.0.1' })
const bucket = `http://127.0.0.1:${S3_PORT}/${S3_BUCKET}`
if (!(await fetch(bucket, { method: 'HEAD' })).ok) {
  const made = await fetch(bucket, { method: 'PUT' })
  if (!made.ok) {
    throw new Error(`no bucket could be made: ${made.status} ${await made.text()}`)
  }
}
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)))
// Who has started us is gone.
process.once('disconnect', () => process.exit(1))

/** Of its insides, which it does not export, with the disk behind the one that we use. */
async function openStores(): Promise<Stores> {
  const inside = (file: string) => import(new URL(file, import.meta.resolve('fauxqs')).href)
  const [{ S3Store }, { FileS3Persistence }, { SqsStore }, { SnsStore }] = await Promise.all([
    inside('s3/s3Store.js'),
    inside('s3/fileS3Persistence.js'),
    inside('sqs/sqsStore.js'),
    inside('sns/snsStore.js'),
  ])
  const s3Store = new S3Store()
  const persistence = new FileS3Persistence(S3_DIRECTORY)
  persistence.loadS3(s3Store)
  s3Store.persistence = persistence
  return { s3Store, sqsStore: new SqsStore(), snsStore: new SnsStore() }
}

/** Killed while it wrote the second file of an object, it would not start again. Nobody was told that it has the object. */
async function removeTorn(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name)
    if (entry.name.endsWith('.json') && !isJson(await readFile(file, 'utf8'))) {
      await rm(file)
    }
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
