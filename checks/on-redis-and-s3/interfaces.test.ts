/* The admin API and what the documents say of all of it, once more on Redis and S3. */
import './parts.ts'

await import('../admin.test.ts')
await import('../admin-accounts.test.ts')
await import('../admin-reports.test.ts')
await import('../openapi.test.ts')
await import('../openapi-answers.test.ts')
await import('../koala-api.test.ts')
await import('../koala-images.test.ts')
await import('../admin-webhooks.test.ts')
