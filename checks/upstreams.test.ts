import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { LISTED_SIZES } from '@wombat/contract'
import { verifyLedger } from '@wombat/ledger'
import {
  startGeminiEmulator,
  startIdeogramEmulator,
  startLeonardoEmulator,
  startOpenAiEmulator,
  until,
} from '@wombat/testing'
import sharp from 'sharp'
import { attemptsMade, inWords } from './attempts-made.ts'
import { countStates, decode, orderOne, pathOf, query } from './image-tools.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

const SCALED = {
  PROVIDER_ALLOW_PRIVATE: 'true',
  RETRY_MAX_DELAY_SECONDS: '0.2',
  LEASE_SECONDS: '2',
  LEONARDO_POLL_SECONDS: '0.1',
}

/** All four upstreams, each with a key. */
async function startUpstreams() {
  const openai = await startOpenAiEmulator()
  const ideogram = await startIdeogramEmulator()
  const gemini = await startGeminiEmulator()
  const leonardo = await startLeonardoEmulator({ jobMs: 20 })
  return {
    openai,
    ideogram,
    gemini,
    leonardo,
    env: {
      ...SCALED,
      OPENAI_API_KEY: 'sk-check',
      OPENAI_BASE_URL: openai.url,
      IDEOGRAM_API_KEY: 'ideogram-check',
      IDEOGRAM_BASE_URL: ideogram.origin,
      GEMINI_API_KEY: 'gemini-check',
      GEMINI_BASE_URL: gemini.origin,
      LEONARDO_API_KEY: '7a9d3d2c-4f0e-4b6c-9c51-0a4f5de1a001',
      LEONARDO_BASE_URL: leonardo.url,
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([openai, ideogram, gemini, leonardo].map((emulator) => emulator.close()))
    },
  }
}

describe('with a key of each upstream', { timeout: 120_000 }, () => {
  let upstreams: Awaited<ReturnType<typeof startUpstreams>>
  let server: Awaited<ReturnType<typeof startTestServer>>
  before(async () => {
    upstreams = await startUpstreams()
    server = await startTestServer({ env: { ...upstreams.env, SYNTHETIC: 'off' } })
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await upstreams[Symbol.asyncDispose]()
  })

  for (const [model, provider] of [
    ['ideogram-3.0', 'ideogram'],
    ['nano-banana-2', 'gemini'],
    ['standard', 'leonardo'],
    ['premium', 'leonardo'],
  ] as const) {
    test(`${model} is made by ${provider}, in each listed size to the pixel`, async () => {
      const { accountId, apiKey } = await server.createAccount()
      for (const { width, height } of LISTED_SIZES) {
        const answer = await server.post({ prompt: 'wombat', model, size: `${width}x${height}` }, { key: apiKey })
        assert.equal(answer.headers.get('x-provider'), provider)
        assert.equal(answer.headers.get('x-effective-size'), `${width}x${height}`)
        const { status, bytes } = await server.get(answer.images[0]?.url ?? '')
        assert.equal(status, 200)
        assert.deepEqual(await decode(bytes), { format: 'jpeg', width, height })
      }
      const receipts = await query(
        server.databaseUrl,
        `SELECT a.route, a.upstream_id, a.latency_ms, a.cost_micro_usd::int AS cost FROM attempts a
         JOIN images i ON i.id = a.image_id WHERE i.account_id = $1`,
        [accountId],
      )
      assert.equal(receipts.length, LISTED_SIZES.length)
      for (const { route, upstream_id, latency_ms, cost } of receipts) {
        assert.equal(route, provider)
        assert.ok(upstream_id.length > 5 && latency_ms >= 0 && cost > 10_000, JSON.stringify([upstream_id, cost]))
      }
    })
  }
})

describe('a job that the upstream goes on with', { timeout: 90_000, concurrency: 3 }, () => {
  test('of Leonardo is resumed by the next worker when the first is killed: no second create', async () => {
    await using upstreams = await startUpstreams()
    const { leonardo, env } = upstreams
    leonardo.setJobMs(60_000)
    await using api = await startTestServer({ role: 'api', env })
    await using worker = await spawnTestServer({ role: 'worker', env, beside: api })
    const id = await orderOne(api, { model: 'standard' })
    const isKept = async () => (await attemptsMade(api.databaseUrl, id))[0]?.jobId != null
    await until(isKept, { what: "the job's id is written down" })
    await worker.kill()
    leonardo.setJobMs(0)
    await worker.start()
    const { status, bytes } = await api.get(pathOf(id))
    assert.equal(status, 200)
    await decode(bytes)
    const attempts = await attemptsMade(api.databaseUrl, id)
    assert.deepEqual(attempts.map(inWords), ['leonardo done'])
    assert.equal(leonardo.requests.filter(({ method }) => method === 'POST').length, 1)
    const [row] = await query(api.databaseUrl, 'SELECT fence FROM images WHERE id = $1', [id])
    assert.equal(row.fence, 2)
    assert.deepEqual((await verifyLedger(api.db)).faults, [])
  })

  test('of Leonardo is resumed after a restart in good order, and after an outage of its polls', async () => {
    await using upstreams = await startUpstreams()
    const { leonardo, env } = upstreams
    leonardo.setJobMs(60_000)
    const settings = { ...env, PROVIDER_TIMEOUT_SECONDS: '1', SHUTDOWN_GRACE_SECONDS: '0.2' }
    await using server = await spawnTestServer({ env: settings })
    const id = await orderOne(server, { model: 'premium' })
    const isKept = async () => (await attemptsMade(server.databaseUrl, id))[0]?.jobId != null
    await until(isKept, { what: "the job's id is written down" })
    await server.stop()
    assert.deepEqual(await countStates(server.databaseUrl), { queued: 1 })
    leonardo.setFault('server_error', { path: '/v1/generations/' })
    leonardo.setJobMs(0)
    const asked = leonardo.requests.length
    await server.start()
    await until(() => Promise.resolve(leonardo.requests.length >= asked + 3), {
      timeoutMs: 20_000,
      what: 'polls that fail',
    })
    leonardo.setFault(undefined)
    assert.equal((await server.get(pathOf(id))).status, 200)
    assert.deepEqual((await attemptsMade(server.databaseUrl, id)).map(inWords), ['leonardo done'])
    assert.equal(leonardo.requests.filter(({ method }) => method === 'POST').length, 1)
  })

  test('a link of Ideogram that fails for a while is kept: no second picture is paid for', async () => {
    await using upstreams = await startUpstreams()
    const { ideogram, env } = upstreams
    await using server = await startTestServer({ env })
    ideogram.setFault('server_error', { path: '/api/images/' })
    const id = await orderOne(server, { model: 'ideogram-3.0' })
    const tries = () => ideogram.requests.filter(({ method }) => method === 'GET').length
    await until(() => Promise.resolve(tries() >= 6), { what: 'six tries of the link' })
    ideogram.setFault(undefined)
    assert.equal((await server.get(pathOf(id))).status, 200)
    assert.equal(ideogram.requests.filter(({ pictures }) => pictures > 0).length, 1)
    assert.deepEqual((await attemptsMade(server.databaseUrl, id)).map(inWords), ['ideogram done'])
  })

  test('a link that is dead is given up: the picture is paid for again, up to the limit', async () => {
    await using upstreams = await startUpstreams()
    const { ideogram, env } = upstreams
    await using server = await startTestServer({ env: { ...env, UNKNOWN_ATTEMPTS_LIMIT: '2' } })
    ideogram.setFault('dead_link', { times: 1 })
    const id = await orderOne(server, { model: 'ideogram-3.0' })
    assert.equal((await server.get(pathOf(id))).status, 200)
    assert.deepEqual((await attemptsMade(server.databaseUrl, id)).map(inWords), [
      'ideogram unknown unknown',
      'ideogram done',
    ])
    ideogram.setFault('dead_link')
    const lost = await orderOne(server, { model: 'ideogram-3.0' })
    const answer = await server.get(pathOf(lost))
    assert.deepEqual([answer.status, answer.error.code], [410, 'generation_failed'])
    assert.equal((await attemptsMade(server.databaseUrl, lost)).length, 3)
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})

describe('Gemini', { timeout: 60_000 }, () => {
  test('that gives no picture and no reason is asked twice more, and then the credits come back', async () => {
    await using upstreams = await startUpstreams()
    const { gemini, env } = upstreams
    await using server = await startTestServer({ env })
    gemini.setFault({ finishReason: 'NO_IMAGE', content: 'empty' })
    const id = await orderOne(server, { model: 'nano-banana-2' })
    const answer = await server.get(pathOf(id))
    assert.deepEqual([answer.status, answer.error.code], [410, 'generation_failed'])
    assert.deepEqual(
      (await attemptsMade(server.databaseUrl, id)).map(inWords),
      Array.from({ length: 3 }, () => 'gemini refused no_picture'),
    )
    gemini.setFault({ finishReason: 'IMAGE_SAFETY', content: 'empty' })
    const refused = await server.get(pathOf(await orderOne(server, { model: 'nano-banana-2' })))
    assert.equal(refused.status, 422)
    assert.match(refused.error.message, /refused this request for its content: image_safety\.$/)
  })
})

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
      const files = [0, 1].map((n) => path.join(server.dataDir, 'blobs/images/references', requestId, String(n)))
      const areKept = () => Promise.resolve(files.every((file) => existsSync(file)))
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
