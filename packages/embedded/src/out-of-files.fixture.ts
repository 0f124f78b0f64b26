/** A process of its own that joins a data directory, runs out of file descriptors, and says what its watch makes of that. For tests. */
import { closeSync, openSync } from 'node:fs'
import { joinEmbeddedPostgres } from './embedded-postgres.ts'
import { errorCode } from './error-code.ts'
import { countRows } from './sql.ts'

const opened: number[] = []

function openAll() {
  try {
    for (;;) {
      opened.push(openSync('/dev/null', 'r'))
    }
  } catch (error) {
    if (errorCode(error) !== 'EMFILE') {
      throw error
    }
  }
}

const postgres = await joinEmbeddedPostgres({ dataDir: process.argv[2] ?? '', purpose: 'test', durable: false })
openAll()
// What a connection of the join still had is free a moment later.
const again = setInterval(openAll, 10)
const found = await new Promise((resolve) => postgres.watch(resolve))
clearInterval(again)
opened.forEach(closeSync)
const rows = await countRows('SELECT', { socketDir: postgres.socketDir, database: 'wombat' })
console.log(JSON.stringify({ found: errorCode(found), rows }))
await postgres.leave()
process.exit()
