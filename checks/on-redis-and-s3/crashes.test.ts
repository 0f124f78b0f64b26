/* Processes, queues and databases that go away, once more on Redis and S3. */
import './parts.ts'

await import('../crash.test.ts')
await import('../disruption.test.ts')
await import('../fencing.test.ts')
await import('../roles.test.ts')
await import('../rolling-restart.test.ts')
