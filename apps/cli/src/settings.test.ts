import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { createTemporaryDirectory } from '@wombat/testing'
import { readEnvironment } from './settings.ts'

test('the environment wins over .env, and an empty value there counts as said', async () => {
  await using folder = await createTemporaryDirectory()
  await writeFile(path.join(folder.path, '.env'), 'PORT=1\nHOST="::"\nLOG_LEVEL=debug # all of it\n')
  const { env, envFile } = readEnvironment({ PORT: '2', LOG_LEVEL: '' }, folder.path)
  assert.equal(envFile, path.join(folder.path, '.env'))
  assert.deepEqual([env.PORT, env.HOST, env.LOG_LEVEL], ['2', '::', ''])
})

test('a relative DATA_DIR counts from where it was said', async () => {
  await using folder = await createTemporaryDirectory()
  const elsewhere = path.join(folder.path, 'elsewhere')
  await mkdir(elsewhere)
  await writeFile(path.join(folder.path, '.env'), 'DATA_DIR=here\nOPENAI_API_KEY_FILE=secret.txt\n')
  const { env } = readEnvironment({}, folder.path)
  assert.equal(env.DATA_DIR, path.join(folder.path, 'here'))
  assert.equal(env.OPENAI_API_KEY_FILE, path.join(folder.path, 'secret.txt'))
  assert.equal(readEnvironment({ DATA_DIR: 'there' }, elsewhere).env.DATA_DIR, path.join(elsewhere, 'there'))
})

test('without a DATA_DIR it is the one of the checkout, wherever the command is called', async () => {
  await using folder = await createTemporaryDirectory()
  await writeFile(path.join(folder.path, '.env'), '')
  const checkout = path.resolve(import.meta.dirname, '../../..')
  assert.equal(readEnvironment({}, folder.path).env.DATA_DIR, path.join(checkout, 'data'))
})
