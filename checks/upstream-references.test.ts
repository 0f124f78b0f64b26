import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, test } from 'node:test'
import { until } from '@wombat/testing'
import sharp from 'sharp'
import { orderOne, pathOf, query } from './image-tools.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'
import { startUpstreams } from './upstreams.ts'

describe('reference images', { timeout: 90_000 }, () => {
  test('four of 8 MB each reach OpenAI and Gemini, downloaded once for two images', async () => {
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)))
    const pixels = Buffer.concat(Array.from({ length: 130 }, (_, n) => Buffer.from(noise.map((byte) => byte ^ n))))
    const picture = await sharp(pixels.subarray(0, 1600 * 1750 * 3), {
      raw: { width: 1600, height: 1750, channels: 3 },
    })
      .png({ compressionLevel: 0 })
      .toBuffer()
    assert.ok(picture.length > 8 * 1024 * 1024, `${picture.length}`)
    let downloads = 0
    const host = createServer((_request, reply) => {
      downloads += 1
      reply.writeHead(200, { 'content-type': 'image/png', 'content-length': picture.length }).end(picture)
    })
    host.listen(0, '127.0.0.1')
    await once(host, 'listening')
    const address = host.address()
    assert.ok(address !== null && typeof address === 'object')
    const origin = `127.0.0.1:${address.port}`
    try {
      await using upstreams = await startUpstreams()
      await using server = await startTestServer({ env: { ...upstreams.env, REFERENCE_ALLOW_HOSTS: origin } })
      const referenceImages = [1, 2, 3, 4].map((n) => `http://${origin}/${n}.png`)
      for (const [model, emulator] of [
        ['gpt-image-2', upstreams.openai],
        ['nano-banana-2', upstreams.gemini],
      ] as const) {
        downloads = 0
        const answer = await server.post({ prompt: 'wombat', model, numImages: 2, referenceImages })
        for (const { url } of answer.images) {
          assert.equal((await server.get(url)).status, 200)
        }
        assert.equal(downloads, 4, model)
        assert.equal(emulator.requests.filter(({ pictures }) => pictures > 0).length, 2)
      }
      const edits = upstreams.openai.requests.filter(({ path }) => path.endsWith('/edits'))
      assert.ok(edits.every(({ files }) => files?.length === 4 && files.every(({ bytes }) => bytes.equals(picture))))
    } finally {
      host.close()
      host.closeAllConnections()
    }
  })

  test('whose links die during an outage are used all the same, and are removed when the image is done', async () => {
    const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#a0522d' } })
      .png()
      .toBuffer()
    let isAlive = true
    let downloads = 0
    const host = createServer((_request, reply) => {
      downloads += 1
      reply.writeHead(isAlive ? 200 : 410, { 'content-type': 'image/png' }).end(isAlive ? picture : '')
    })
    host.listen(0, '127.0.0.1')
    await once(host, 'listening')
    const address = host.address()
    assert.ok(address !== null && typeof address === 'object')
    const origin = `127.0.0.1:${address.port}`
    try {
      await using upstreams = await startUpstreams()
      const env = {
        ...upstreams.env,
        REFERENCE_ALLOW_HOSTS: origin,
        BREAKER_FAILURES: '1',
        RETRY_MAX_DELAY_SECONDS: '2',
      }
      await using server = await spawnTestServer({ env })
      const { gemini } = upstreams
      gemini.setFault('unavailable')
      await orderOne(server, { model: 'nano-banana-2' })
      const isDown = async () =>
        (await query(server.databaseUrl, `SELECT FROM route_states WHERE state = 'open'`)).length === 1
      await until(isDown, { what: 'the route is down' })
      const referenceImages = [1, 2].map((n) => `http://${origin}/${n}.png`)
      const id = await orderOne(server, { model: 'nano-banana-2', referenceImages })
      const [{ request_id: requestId }] = await query(
        server.databaseUrl,
        'SELECT request_id FROM images WHERE id = $1',
        [id],
      )
      const keys = [0, 1].map((n) => `images/references/${requestId}/${n}`)
      const areKept = async () => (await Promise.all(keys.map((key) => server.holds(key)))).every((isThere) => isThere)
      await until(areKept, { what: 'they are kept although nothing can be made' })
      assert.equal(downloads, 2)
      isAlive = false
      // Nothing of it is only in the memory of a process.
      await server.stop()
      gemini.setFault(undefined)
      await server.start()
      assert.equal((await server.get(pathOf(id))).status, 200)
      const sent = JSON.stringify(gemini.requests.at(-1)?.body)
      assert.equal(sent.split(picture.toString('base64')).length - 1, 2)
      const kept = `SELECT object_key FROM garbage_objects WHERE delete_after <= now() + interval '1 second'`
      await until(async () => (await query(server.databaseUrl, kept)).length === 2, { what: 'they are to be removed' })
    } finally {
      host.close()
      host.closeAllConnections()
    }
  })
})
