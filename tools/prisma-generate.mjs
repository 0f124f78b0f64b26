// Makes Prisma's client from prisma/schema.prisma, unless it is already made from this schema by this version.
// JavaScript, because npm runs it at install with whatever Node the machine has.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const client = path.join(root, 'packages/database/src/generated')
const stamp = path.join(client, '.made-from')

const prisma = findPrisma()
if (prisma === undefined) {
  // An install without development packages, as in an image that copies the client from an earlier stage.
  if (!existsSync(stamp)) {
    console.warn('prisma is not installed, so packages/database/src/generated was not made.')
  }
} else {
  const source = hashOf(readFileSync(path.join(root, 'prisma/schema.prisma')), prisma.version)
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== source) {
    generate(prisma.command)
    if (process.exitCode === undefined) {
      writeFileSync(stamp, source)
    }
  }
}

function findPrisma() {
  try {
    const manifest = createRequire(import.meta.url).resolve('prisma/package.json')
    const { version, bin } = JSON.parse(readFileSync(manifest, 'utf8'))
    return { version, command: path.join(path.dirname(manifest), bin.prisma) }
  } catch {
    return undefined // The one way in which resolving a pinned package fails is that it isn't there.
  }
}

function hashOf(...parts) {
  const hash = createHash('sha256')
  for (const part of parts) {
    hash.update(part)
  }
  return hash.digest('hex')
}

function generate(command) {
  const pinned = path.join(root, 'node_modules/.bin/node')
  const node = existsSync(pinned) ? pinned : process.execPath
  const { status, stdout, stderr, error } = spawnSync(node, [command, 'generate', '--no-hints'], {
    cwd: root,
    encoding: 'utf8',
    env: {
      ...process.env,
      // Any existing file: generating needs no engine, and without this the command would download one.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: '1',
    },
  })
  if (status !== 0) {
    console.error(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`)
    console.error(`prisma generate failed with ${node}. It needs Node 24 or newer.`)
    process.exitCode = 1
  }
}
