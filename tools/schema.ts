// `node tools/schema.ts check` proves that prisma/schema.prisma and the migrations agree; `migration <name>` starts a
// new migration from their difference. Neither needs a database: the newest migration's folder holds the schema it
// leads to, and Prisma's engine compares the two.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { diffSchemas } from './schema-engine.ts'

const PRISMA_DIR = fileURLToPath(new URL('../prisma', import.meta.url))
const MIGRATION_NAME = /^\d{14}_[a-z0-9]+(_[a-z0-9]+)*$/
const USAGE = 'Usage: node tools/schema.ts check | node tools/schema.ts migration words_joined_like_this'

const [command, argument] = process.argv.slice(2)
if (command === 'check' && argument === undefined) {
  const faults = await check(PRISMA_DIR)
  for (const fault of faults) {
    console.error(fault)
  }
  process.exitCode = faults.length === 0 ? 0 : 1
} else if (command === 'migration' && argument !== undefined) {
  console.log(await writeMigration(PRISMA_DIR, argument))
} else {
  console.error(USAGE)
  process.exitCode = 2
}

async function check(dir: string): Promise<string[]> {
  const names = migrationNames(dir)
  const faults = names
    .filter((name) => !MIGRATION_NAME.test(name))
    .map((name) => `prisma/migrations/${name}: the name must be YYYYMMDDHHMMSS_words.`)

  const settled = readChecksums(dir)
  for (const name of names.slice(0, -1)) {
    if (settled[name] !== checksum(dir, name)) {
      faults.push(
        `prisma/migrations/${name}/migration.sql is not what checksums.json says: databases already have it. Write a new migration.`,
      )
    }
  }

  const sql = await diffSchemas(snapshot(dir, names.at(-1)), readFileSync(path.join(dir, 'schema.prisma'), 'utf8'))
  if (sql !== '') {
    faults.push(
      `prisma/schema.prisma has changes that no migration makes. Run \`npm run schema:migration -- name\`:\n\n${sql}`,
    )
  }
  return faults
}

/** Answers the path of the SQL, which is to be completed by hand with what Prisma doesn't know. */
async function writeMigration(dir: string, words: string): Promise<string> {
  const name = `${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}_${words}`
  if (!MIGRATION_NAME.test(name)) {
    throw new Error(USAGE)
  }
  const names = migrationNames(dir)
  const schema = readFileSync(path.join(dir, 'schema.prisma'), 'utf8')
  const sql = await diffSchemas(snapshot(dir, names.at(-1)), schema)

  // From here on the earlier ones are settled, and `check` refuses any change to them.
  const settled = Object.fromEntries(names.map((earlier) => [earlier, checksum(dir, earlier)]))
  writeFileSync(path.join(dir, 'migrations/checksums.json'), `${JSON.stringify(settled, null, 2)}\n`)
  mkdirSync(path.join(dir, 'migrations', name))
  writeFileSync(path.join(dir, 'migrations', name, 'schema.prisma'), schema)
  writeFileSync(path.join(dir, 'migrations', name, 'migration.sql'), sql)
  return `prisma/migrations/${name}/migration.sql`
}

function migrationNames(dir: string): string[] {
  return readdirSync(path.join(dir, 'migrations'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

/** The schema that a migration leads to; undefined before the first. */
function snapshot(dir: string, name: string | undefined): string | undefined {
  return name === undefined ? undefined : readFileSync(path.join(dir, 'migrations', name, 'schema.prisma'), 'utf8')
}

function checksum(dir: string, name: string): string {
  const sql = readFileSync(path.join(dir, 'migrations', name, 'migration.sql'))
  return createHash('sha256').update(sql).digest('hex')
}

function readChecksums(dir: string): Record<string, string> {
  const file = path.join(dir, 'migrations/checksums.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
}
