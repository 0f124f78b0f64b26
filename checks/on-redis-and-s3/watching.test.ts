/* What the operator and other programs are told, once more on Redis and S3. */
import './parts.ts'

await import('../metrics.test.ts')
await import('../monitoring.test.ts')
await import('../tracing.test.ts')
await import('../log-secrets.test.ts')
await import('../webhooks.test.ts')
await import('../webhook-ends.test.ts')
