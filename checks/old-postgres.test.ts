/** A PostgreSQL that is too old is named as such, before anything is changed in it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { migrate, withClient } from '@wombat/database'
import { createTestDatabase } from '@wombat/testing'

test('an old PostgreSQL is refused at the start, with its version and the one that is needed', async () => {
  await using database = await createTestDatabase()
  const { rows } = await withClient(database.url, (client) => client.query('SHOW server_version_num'))
  const real = String(rows[0]?.server_version_num)
  await using old = await openAgeing(database.url, { real, shown: '130023' })
  await using recent = await openAgeing(database.url, { real, shown: '140000' })

  await assert.rejects(migrate(old.url), { message: 'The database is PostgreSQL 13, and Wombat needs 14 or newer.' })
  assert.deepEqual(await migrate(recent.url), [])
})

/** The same database, which says that it is of another version. */
async function openAgeing(url: string, { real, shown }: { real: string; shown: string }) {
  assert.equal(shown.length, real.length)
  const target = new URL(url)
  const directory = target.searchParams.get('host')
  const port = target.port === '' ? 5432 : Number(target.port)
  const server = createServer((client) => {
    const upstream =
      directory === null ? connect(port, target.hostname) : connect(path.join(directory, `.s.PGSQL.${port}`))
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      client.write(Buffer.from(chunk.toString('latin1').replaceAll(real, shown), 'latin1'))
    })
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    client.on('error', () => {})
    upstream.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const aged = new URL(url)
  aged.searchParams.delete('host')
  aged.hostname = '127.0.0.1'
  aged.port = String(typeof address === 'object' ? address?.port : '')
  return {
    url: aged.href,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
