import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pendingMigrations, withClient } from '@wombat/database'
import { createTestDatabase } from './database-fixture.ts'

test('a test database has every migration', async () => {
  await using database = await createTestDatabase()
  assert.deepEqual(await pendingMigrations(database.url), [])
})

test('the schema of the queue is there where it was asked for', async () => {
  await using plain = await createTestDatabase()
  await using database = await createTestDatabase({ hasQueue: true })
  const schemas = [plain, database].map(({ url }) =>
    withClient(url, async (client) => (await client.query(`SELECT to_regclass('bullmq.job') AS name`)).rows[0].name),
  )
  assert.deepEqual(await Promise.all(schemas), [null, 'bullmq.job'])
  assert.deepEqual(await pendingMigrations(database.url), [])
})

test('two test databases do not see each other', async () => {
  await using one = await createTestDatabase()
  await using other = await createTestDatabase()
  await withClient(one.url, (client) => client.query('CREATE TABLE only_in_one ()'))
  const found = await withClient(other.url, (client) => client.query(`SELECT to_regclass('only_in_one') AS name`))
  assert.equal(found.rows[0].name, null)
})

test('twelve callers at once get twelve databases', async () => {
  const databases = await Promise.all(Array.from({ length: 12 }, () => createTestDatabase()))
  assert.equal(new Set(databases.map(({ url }) => url)).size, 12)
  await Promise.all(databases.map((database) => database[Symbol.asyncDispose]()))
})

test('a database is dropped with the connections that are left to it', async () => {
  const database = await createTestDatabase()
  await withClient(database.url, async (client) => {
    await client.query('SELECT 1')
    await database[Symbol.asyncDispose]()
    await assert.rejects(client.query('SELECT 1'))
  })
  await assert.rejects(
    withClient(database.url, (client) => client.query('SELECT 1')),
    /does not exist/,
  )
})
