/* Upstreams that fail, once more on Redis and S3. */
import './parts.ts'

await import('../outage.test.ts')
await import('../simulate.test.ts')
await import('../simulate-errors.test.ts')
await import('../dev-clock.test.ts')
