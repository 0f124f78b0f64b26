/* Upstreams, routes and references, once more on Redis and S3. */
import './parts.ts'

await import('../upstream-references.test.ts')
await import('../references.test.ts')
await import('../routes.test.ts')
await import('../koala-upstream.test.ts')
await import('../moderation.test.ts')
