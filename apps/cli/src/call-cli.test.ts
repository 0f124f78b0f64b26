import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTemporaryDirectory, createTestDatabase } from '@wombat/testing'
import { callCli } from './call-cli.ts'
import { runCli } from './run-cli.ts'

test('a command that is called says the same, and ends with the same code, as one that is a process of its own', async () => {
  await using folder = await createTemporaryDirectory()
  await using database = await createTestDatabase()
  const env = { DATABASE_URL: database.url }
  const unreachable = { DATABASE_URL: database.url.replace(/\/test_\w+/, '/none') }
  const codes: (number | null)[] = []
  for (const [args, settings] of [
    [['account', 'create', '--name', 'Ann', '--credits', '5', '--json'], env],
    [['account', 'list', '--json'], env],
    [['account', 'show', 'nobody'], env],
    [['account', 'list'], { ...env, PORT: 'none' }],
    [['account', 'list', '--json'], unreachable],
    [['key', 'revoke', '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01'], env],
    [['credit', 'grant', '--help'], env],
    [[], env],
    [['route', 'list'], env],
  ] as const) {
    const options = { folder: folder.path, env: settings }
    const called = await callCli(args, options)
    codes.push(called.code)
    if (args[1] !== 'create') {
      assert.deepEqual(called, await runCli(args, options), args.join(' '))
    }
  }
  assert.deepEqual(codes, [0, 0, 2, 3, 4, 5, 0, 2, 0])
})

test('calls at once are answered one after another, each in its own environment and folder', async () => {
  await using one = await createTemporaryDirectory()
  await using other = await createTemporaryDirectory()
  const finished = await Promise.all(
    [one, other, one].map(({ path }) => callCli(['account', 'list'], { folder: path, env: { PORT: path } })),
  )
  assert.deepEqual(
    finished.map(({ code, stderr }) => [code, stderr.includes(one.path), stderr.includes(other.path)]),
    [
      [3, true, false],
      [3, false, true],
      [3, true, false],
    ],
  )
})
