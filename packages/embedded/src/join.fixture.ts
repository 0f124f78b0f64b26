/** A process of its own that joins the data directory it is given, says so, and leaves when its input ends. For tests. */
import { once } from 'node:events'
import { joinEmbeddedPostgres } from './embedded-postgres.ts'

const dataDir = process.argv[2] ?? ''
const postgres = await joinEmbeddedPostgres({ dataDir, purpose: 'test', durable: false })
console.log(postgres.socketDir)
process.stdin.resume()
await once(process.stdin, 'end')
await postgres.leave()
