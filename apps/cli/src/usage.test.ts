import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { test } from 'node:test'
import { createTemporaryDirectory } from '@wombat/testing'
import { runCli } from './run-cli.ts'

const WRONG: readonly { args: readonly string[]; says: RegExp }[] = [
  { args: ['acount', 'list'], says: /unknown command 'acount' \(Did you mean account\?\)/ },
  { args: ['account', 'create'], says: /required option '--name <name>' not specified/ },
  { args: ['account', 'create', '--name', 'A', '--plan', 'Gold!'], says: /--plan.*'Gold!'.*small letters/ },
  { args: ['plan', 'create', 'Gold!'], says: /the plan "Gold!" is no name/ },
  { args: ['plan', 'create', 'gold', '--concurrency', '0'], says: /--concurrency.*'0'.*whole number from 1/ },
  { args: ['plan', 'show'], says: /the plan is missing/ },
  { args: ['key', 'set', 'abc'], says: /the key "abc" is no id/ },
  { args: ['key', 'create', '--daily-budget', '-1'], says: /--daily-budget.*'-1'.*whole number from 0/ },
  { args: ['key', 'create', '--models', 'standard,'], says: /--models.*words with commas/ },
  { args: ['account', 'create', '--name', 'A', '--credits', '1.5'], says: /--credits.*'1.5'.*whole number from 0/ },
  { args: ['account', 'create', '--name', ' '], says: /--name.*one line of 1 to 100 characters/ },
  { args: ['account', 'show'], says: /the account is missing/ },
  { args: ['account', 'show', 'abc'], says: /the account "abc" is no id/ },
  { args: ['key', 'create', '--account', 'abc'], says: /--account.*'abc'.*takes an id/ },
  { args: ['key', 'revoke', 'abc'], says: /the key "abc" is no id/ },
  {
    args: ['credit', 'grant', '--account', '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01', '--credits', '0'],
    says: /whole number from 1/,
  },
  { args: ['credit', 'adjust', '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01', '-0'], says: /whole number/ },
  { args: ['image', 'show', 'cat.jpg'], says: /the image "cat.jpg" is no id/ },
  { args: ['image', 'erase', 'v2-aaaaaaaaa-bbbbbbbbb'], says: /no terminal to ask at: say --yes/ },
  { args: ['account', 'erase', '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01', '--disable'], says: /say --yes/ },
  { args: ['route', 'resume'], says: /the route is missing/ },
  { args: ['usage', '--by', 'colour'], says: /--by.*'colour'.*account, key, model, day, route/ },
  { args: ['usage', '--since', 'yesterday'], says: /--since.*'yesterday'.*day of UTC/ },
  { args: ['usage', '--since', '1d', '--until', '2d'], says: /--since 2.*Z is not before --until 2/ },
  { args: ['usage', '--account', 'abc'], says: /--account.*'abc'.*takes an id/ },
  { args: ['start', '--role', 'cook'], says: /--role.*all, api, worker/ },
]

test('a wrong command line ends with 2 and one line that names what is wrong, and touches nothing', async () => {
  await using folder = await createTemporaryDirectory()
  for (const { args, says } of WRONG) {
    const { code, stdout, stderr } = await runCli(args, { folder: folder.path })
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`)
    assert.match(stderr, says)
    assert.match(stderr, /^wombat: .*\(see `wombat[a-z ]*--help`\)\n$/)
    assert.equal(stdout, '')
  }
  assert.deepEqual(await readdir(folder.path), ['.env'])
})

test('errors are JSON with --json', async () => {
  await using folder = await createTemporaryDirectory()
  const { code, stdout, stderr } = await runCli(['account', 'show', 'abc', '--json'], { folder: folder.path })
  const { error, code: name, ...rest } = JSON.parse(stderr)
  assert.equal(code, 2)
  assert.equal(name, 'usage')
  assert.match(error, /is no id/)
  assert.deepEqual(rest, {})
  assert.equal(stdout, '')
})

test('CSV and JSON at once are refused', async () => {
  await using folder = await createTemporaryDirectory()
  const { code, stdout, stderr } = await runCli(['usage', '--csv', '--json'], { folder: folder.path })
  assert.equal(code, 2)
  assert.match(JSON.parse(stderr).error, /'--csv' cannot be used with option '--json'/)
  assert.equal(stdout, '')
})

test('all faults of the configuration are told together, and secrets are not shown', async () => {
  await using folder = await createTemporaryDirectory()
  const env = { PORT: 'http', SYNTHETIC: 'maybe', BOOTSTRAP_API_KEY: 'tiny-secret' }
  const { code, stderr } = await runCli(['start'], { folder: folder.path, env })
  assert.equal(code, 3)
  for (const name of ['PORT', 'SYNTHETIC', 'BOOTSTRAP_API_KEY']) {
    assert.match(stderr, new RegExp(name))
  }
  assert.doesNotMatch(stderr, /tiny-secret/)
  assert.deepEqual(await readdir(folder.path), ['.env'])
})

test('a database that can not be reached ends with 4, without its password and without a trace', async () => {
  await using folder = await createTemporaryDirectory()
  const env = { DATABASE_URL: 'postgresql://wombat:very-secret@127.0.0.1:1/wombat' }
  for (const args of [['account', 'list'], ['start']]) {
    const { code, stdout, stderr } = await runCli(args, { folder: folder.path, env })
    assert.equal(code, 4)
    assert.equal(stdout, '')
    assert.match(stderr, /^wombat: The database at 127\.0\.0\.1:1\/wombat can't be used: .*Check DATABASE_URL\.\n$/)
    assert.doesNotMatch(stderr, /very-secret/)
  }
})

test('a data directory that is a file ends with 3', async () => {
  await using folder = await createTemporaryDirectory()
  const env = { DATA_DIR: `${folder.path}/.env` }
  const { code, stderr } = await runCli(['account', 'list'], { folder: folder.path, env })
  assert.equal(code, 3)
  assert.match(stderr, /^wombat: DATA_DIR .*\n$/)
})

test('help and version load nothing and end with 0; no command at all is a mistake', async () => {
  await using folder = await createTemporaryDirectory()
  const env = { PORT: 'broken' }
  const help = await runCli(['credit', 'grant', '--help'], { folder: folder.path, env })
  assert.equal(help.code, 0)
  assert.match(help.stdout, /--ref <text>/)
  const version = await runCli(['--version'], { folder: folder.path, env })
  assert.equal(version.code, 0)
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
  const nothing = await runCli([], { folder: folder.path, env })
  assert.equal(nothing.code, 2)
  assert.match(nothing.stderr, /Usage: wombat/)
})
