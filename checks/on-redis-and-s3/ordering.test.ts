/* What a POST asks for and answers, once more on Redis and S3. */
import './parts.ts'

await import('../image-generation.test.ts')
await import('../bodies.test.ts')
await import('../hostile-bodies.test.ts')
await import('../http-errors.test.ts')
await import('../dry-run.test.ts')
await import('../models.test.ts')
await import('../idempotency.test.ts')
