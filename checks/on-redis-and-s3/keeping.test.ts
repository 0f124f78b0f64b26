/* What is kept, and for how long, once more on Redis and S3. */
import './parts.ts'

await import('../retention.test.ts')
await import('../expiry.test.ts')
await import('../erase.test.ts')
await import('../cancel.test.ts')
await import('../prune.test.ts')
