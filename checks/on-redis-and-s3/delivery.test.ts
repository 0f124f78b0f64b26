/* What a GET waits for and gets, once more on Redis and S3. */
import './parts.ts'

await import('../image-delivery.test.ts')
await import('../image-waiting.test.ts')
await import('../image-states.test.ts')
await import('../keep-alive.test.ts')
await import('../hot-lane.test.ts')
await import('../hot-lane-connections.test.ts')
await import('../waiters.test.ts')
