/**
 * The real server as a process of its own, for spawnTestServer: settings from the environment, the role as argument.
 * It says where it listens in one line, and ends at SIGTERM and when its input does.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createLogger, readConfig } from '@wombat/engine'
import { ROLES, runWombat } from '@wombat/server'

const config = readConfig(process.env)
const role = ROLES.find((one) => one === process.argv[2])
assert.ok(role !== undefined && config.DATABASE_URL !== undefined)
const log = await createLogger({ level: config.LOG_LEVEL, format: 'json' })
const running = await runWombat(config, { databaseUrl: config.DATABASE_URL, dataDir: config.DATA_DIR, role, log })
const { accountId, apiKey } = running.bootstrap ?? {}
console.log(`wombat is ready: ${JSON.stringify({ url: running.url ?? '', accountId, apiKey })}`)

process.stdin.resume()
await Promise.race([once(process, 'SIGTERM'), once(process.stdin, 'end')])
process.stdin.destroy()
await running.stop()
