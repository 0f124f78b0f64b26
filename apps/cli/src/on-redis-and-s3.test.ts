/* What works on queue and store, once more with the one on Redis and the other on S3. The other suites need neither. */
import { after } from 'node:test'
import { openDistributedParts } from '@wombat/testing'

const parts = await openDistributedParts()
after(() => parts[Symbol.asyncDispose]())
process.env.WOMBAT_TEST_SETTINGS = JSON.stringify(parts.env)

await import('./start.test.ts')
await import('./server.test.ts')
await import('./operator.test.ts')
await import('./route.test.ts')
await import('./top.test.ts')
