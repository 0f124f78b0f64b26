/** A small form of `npm run local -- --trial` (deploy/local): the whole cluster behind nginx, each kind of process taken away both ways. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTemporaryDirectory, createTestDatabase } from '@wombat/testing'
import { runTrial } from '../deploy/local/trial/trial.ts'

/** Of two of a kind one is restarted and the other one killed. The long trial takes each both ways, and what is around them. */
const STEPS = new Set([
  'restart api-1',
  'restart worker-1',
  'restart scheduler',
  'kill api-2',
  'kill worker-2',
  'kill scheduler',
])

test('60 images go through a cluster whose processes are restarted and killed, and everything agrees afterwards', {
  timeout: 240_000,
}, async (t) => {
  await using database = await createTestDatabase()
  await using directory = await createTemporaryDirectory()
  const lines: string[] = []
  const faults = await runTrial({
    directory: directory.path,
    port: 0,
    databaseUrl: database.url,
    images: 60,
    clients: 12,
    stop: t.signal,
    report: (line) => lines.push(line),
    isWanted: ({ name }) => STEPS.has(name),
  })
  assert.deepEqual(faults, [], lines.join('\n'))
})
