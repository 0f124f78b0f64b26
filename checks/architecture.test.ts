import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findFaults, importsOf, readOrder, type Workspace } from './arrows.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

test('every import of every package follows the arrows of ARCHITECTURE.md', () => {
  const workspaces = ['packages', 'apps'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder)).map((name) => readWorkspace(path.join(ROOT, folder, name))),
  )
  assert.ok(workspaces.length >= 14, 'the packages were found')
  assert.ok(
    workspaces.every(({ name, files }) => name !== '' && files.size > 0),
    'each has a name and sources',
  )
  assert.deepEqual(findFaults(readOrder(readFileSync(path.join(ROOT, 'ARCHITECTURE.md'), 'utf8')), workspaces), [])
})

test('the list is read from under its heading and nowhere else', () => {
  assert.deepEqual(readOrder('# A\n\n1. no\n\n## Arrows\n\nText.\n\n1. contract\n2. database\n\n## Next\n\n1. no\n'), [
    'contract',
    'database',
  ])
})

test('imports are found in every form, and not in comments', () => {
  const source = `
    import 'a'
    import b from 'b'
    import {
      c,
      type C,
    } from 'c'
    import type { D } from "d"
    export { e } from 'e'
    export * from 'f'
    const g = await import('g')
    const h = require('h')
    const i = import.meta.resolve(\`i/font-\${weight}.woff2\`)
    // import 'no'
    /* import 'no' */
    const text = { from: 'no' }
  `
  assert.deepEqual(importsOf(source).sort(), ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i/font-'])
})

const REFUSED: readonly (readonly [name: string, from: string, file: string, source: string, fault: RegExp])[] = [
  ['a package below', 'ledger', 'src/a.ts', `import '@wombat/engine'`, /does not stand above/],
  [
    'a type of a package below',
    'ledger',
    'src/a.ts',
    `import type { E } from '@wombat/engine'`,
    /does not stand above/,
  ],
  ['a package below, from a test', 'ledger', 'src/a.test.ts', `import '@wombat/testing'`, /does not stand above/],
  ['a package below, from a suite', 'ledger', 'src/a.suite.ts', `import '@wombat/engine'`, /does not stand above/],
  ['a package above that is none of its business', 'ledger', 'src/a.ts', `import '@wombat/contract'`, /no business/],
  ['a back door', 'ledger', 'src/a.ts', `import '@wombat/database/src/migrate.ts'`, /not a door/],
  ['a package that is not there', 'ledger', 'src/a.ts', `import '@wombat/utils'`, /there is no package/],
  ['what tests share, outside tests', 'cli', 'src/a.ts', `import '@wombat/testing'`, /no business/],
  ['another package by its path', 'ledger', 'src/a.ts', `import '../../database/src/index.ts'`, /leads out/],
  ['a file two folders up', 'ledger', 'src/a/b/c.ts', `import '../../d.ts'`, /climbs/],
  ['a library of another package', 'ledger', 'src/a.ts', `import 'bullmq'`, /belongs to queue/],
  [
    'a part of a library of another package',
    'ledger',
    'src/a.ts',
    `import '@prisma/client/sql'`,
    /belongs to database/,
  ],
  ['a library of another package, when needed', 'ledger', 'src/a.ts', `await import('sharp')`, /belongs to images/],
  ['a library that is not declared', 'ledger', 'src/a.ts', `import 'nanoid'`, /nanoid is not declared/],
  ['a development package, outside tests', 'ledger', 'src/a.ts', `import 'fast-check'`, /fast-check is not declared/],
  ['a Node module without its prefix', 'ledger', 'src/a.ts', `import 'fs'`, /node:fs/],
  ['an unlisted package', 'misc', 'src/a.ts', '', /not in the list/],
  ['a second file of the queue with pg', 'queue', 'src/b.ts', `import 'pg'`, /one file may/],
]

for (const [name, from, file, source, fault] of REFUSED) {
  test(`refused: ${name}`, () => {
    const faults = findFaults(
      ['database', 'queue', 'contract', 'ledger', 'engine', 'testing', 'cli'],
      example(from, file, source),
    )
    assert.equal(faults.length, 1, faults.join('\n'))
    assert.match(faults[0] ?? '', fault)
  })
}

test('refused: a dependency that nothing imports, and a package that is not declared', () => {
  const ledger = { name: 'ledger', exports: ['.'], devDependencies: [] }
  const database = { ...ledger, name: 'database', dependencies: [], files: new Map() }
  const unused = { ...ledger, dependencies: ['luxon'], files: new Map([['src/index.ts', '']]) }
  assert.match(
    findFaults(['database', 'ledger'], [database, unused]).join(),
    /luxon is declared and nothing imports it/,
  )
  const undeclared = { ...ledger, dependencies: [], files: new Map([['src/index.ts', `import '@wombat/database'`]]) }
  assert.match(findFaults(['database', 'ledger'], [database, undeclared]).join(), /@wombat\/database is not declared/)
})

test('allowed: what stands above, a second door, a development package in a test', () => {
  const order = ['database', 'queue', 'contract', 'ledger', 'engine', 'testing', 'cli']
  assert.deepEqual(findFaults(order, example('ledger', 'src/a.ts', `import { x } from './b.ts'`)), [])
  assert.deepEqual(findFaults(order, example('ledger', 'src/a.ts', `import '../package.json'`)), [])
  assert.deepEqual(findFaults(order, example('ledger', 'src/a.test.ts', `import 'fast-check'`)), [])
  assert.deepEqual(findFaults(order, example('cli', 'src/a.test.ts', `import '@wombat/testing'`)), [])
  assert.deepEqual(findFaults(order, example('testing', 'src/a.test.ts', `import '@wombat/queue/suite'`)), [])
})

/** A sound tree of packages, and one more file in it. */
function example(from: string, file: string, source: string): Workspace[] {
  const others: Workspace[] = [
    workspaceOf('contract', ['zod']),
    workspaceOf('database', ['pg']),
    workspaceOf('queue', ['bullmq', 'pg'], ['.', './suite']),
    workspaceOf('ledger', ['@wombat/database'], ['.'], ['fast-check']),
    workspaceOf('engine', ['@wombat/ledger']),
    workspaceOf('testing', ['@wombat/queue']),
  ]
  const target = others.find(({ name }) => name === from) ?? workspaceOf(from, [])
  const specifiers = importsOf(source).filter((specifier) => specifier.startsWith('@wombat/'))
  const dependencies = specifiers.map((specifier) => specifier.split('/').slice(0, 2).join('/'))
  const changed = {
    ...target,
    dependencies: [...target.dependencies, ...dependencies],
    files: new Map([...target.files, [file, source]]),
  }
  return [...others.filter(({ name }) => name !== from), changed]
}

function workspaceOf(name: string, dependencies: string[], exports = ['.'], devDependencies: string[] = []): Workspace {
  const index = dependencies.map((dependency) => `import '${dependency}'\n`).join('')
  const inTest = devDependencies.map((dependency) => `import '${dependency}'\n`).join('')
  const files = new Map([
    ['src/index.ts', index],
    ['src/sound.test.ts', inTest],
  ])
  return { name, exports, dependencies, devDependencies, files }
}

function readWorkspace(folder: string): Workspace {
  const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  const { exports = {}, dependencies = {}, optionalDependencies = {}, devDependencies = {} } = manifest
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => /\.(ts|js|mjs|cjs)$/.test(file) && !/(^|\/)node_modules\//.test(file))
  return {
    name: String(manifest.name).replace('@wombat/', ''),
    exports: typeof exports === 'string' ? ['.'] : Object.keys(exports),
    dependencies: Object.keys({ ...dependencies, ...optionalDependencies }),
    devDependencies: Object.keys(devDependencies),
    files: new Map(files.map((file) => [file, readFileSync(path.join(folder, file), 'utf8')])),
  }
}
