/* What is charged, and for what, once more on Redis and S3. */
import './parts.ts'

await import('../credits.test.ts')
await import('../paid-once.test.ts')
await import('../usage.test.ts')
await import('../tags.test.ts')
await import('../ledger-verify.test.ts')
