/* Limits, plans and keys, once more on Redis and S3. */
import './parts.ts'

await import('../rate-limits.test.ts')
await import('../shared-limits.test.ts')
await import('../key-limits.test.ts')
await import('../key-budgets.test.ts')
await import('../admin-limits.test.ts')
await import('../authentication.test.ts')
await import('../plans.test.ts')
