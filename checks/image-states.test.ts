import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { failImage } from '@wombat/ledger'
import { assertOpen, finishNow, idOf, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

// Nobody works here but the test, so that an image is in the state that the test wants.
const server = await startTestServer({ role: 'api', env: { IMAGE_SOFT_WAIT_SECONDS: '0' } })
after(() => server[Symbol.asyncDispose]())

describe('an image that is not there', () => {
  test('an unknown id is a 404 at once, which nobody may keep', async () => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await server.get('/api/image/v2-aaaaaaaaa-aaaaaaaaa.jpg', { method })
      assert.equal(answer.status, 404)
      assert.equal(answer.headers.get('cache-control'), 'no-store')
    }
    assert.equal((await server.get('/api/image/v2-aaaaaaaaa-aaaaaaaaa.json')).error.code, 'not_found')
  })

  test('an address that guesses is refused after its limit, and images in memory are still served to it', async () => {
    await using strict = await startTestServer({ role: 'api', env: { NOT_FOUND_PER_MINUTE: '3' } })
    const id = await orderOne(strict)
    await finishNow(strict.engine, id, 'image/jpeg')
    assert.equal((await strict.get(pathOf(id))).status, 200)
    for (const status of [404, 404, 404, 429, 429]) {
      const answer = await strict.get('/api/image/v2-aaaaaaaaa-aaaaaaaaa.jpg')
      assert.equal(answer.status, status)
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      assert.equal(Number(answer.headers.get('retry-after')) > 0, status === 429)
    }
    assert.equal((await strict.get(pathOf(id))).status, 200)
  })

  test('one that failed for good is a 422 or 410 that says so, and its credits are back', async () => {
    const codes = {
      moderation_refused: 422,
      bad_reference: 422,
      generation_failed: 410,
      generation_deadline: 410,
      image_cancelled: 410,
      image_erased: 410,
      image_expired: 410,
    }
    for (const [code, status] of Object.entries({ ...codes, a_code_of_a_later_version: 410 })) {
      const before = await server.balance()
      const id = await orderOne(server)
      assert.equal(await server.balance(), before - 1)
      await failImage(server.db, { imageId: id, fence: undefined, code, message: 'It failed.' })
      const answer = await server.get(pathOf(id))
      assert.equal(answer.status, status)
      assert.equal(answer.error.code, code.startsWith('a_') ? 'generation_failed' : code)
      assert.deepEqual(answer.error.details, { refunded: true })
      assert.equal(answer.error.refunded, true)
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      assert.equal(await server.balance(), before)
      assert.equal((await server.get(pathOf(id), { method: 'HEAD' })).status, status)
    }
  })
})

describe('the status of an image', () => {
  const statusOf = async (id: string) => (await server.get(`/api/image/${id}.json`)).json as Record<string, unknown>

  test('it tells every state, never waits, and nobody keeps it', async () => {
    const id = await orderOne(server, { prompt: 'a quiet pond', model: 'standard', size: '16:9' })
    const queued = await server.get(`/api/image/${id.toUpperCase()}.JSON`)
    assert.equal(queued.status, 200)
    assert.equal(queued.headers.get('cache-control'), 'no-store')
    assertOpen(queued.headers)
    const keys = [
      'id',
      'status',
      'progress',
      'queuePosition',
      'etaSeconds',
      'alt',
      'width',
      'height',
      'contentType',
      'finalPrompt',
      'error',
    ]
    const body = queued.json as Record<string, unknown>
    assert.deepEqual(Object.keys(body), keys)
    const { progress, etaSeconds, ...rest } = body
    const fixed = { id, alt: '', width: 1344, height: 768, finalPrompt: 'a quiet pond', contentType: null, error: null }
    assert.deepEqual(rest, { ...fixed, status: 'queued', queuePosition: 0 })
    assert.ok(progress === 0 && Number(etaSeconds) >= 1)

    await query(
      server.databaseUrl,
      `UPDATE images SET status = 'generating', fence = 9, lease_owner = 'x', lease_until = now() + interval '1 h' WHERE id = $1`,
      [id],
    )
    const processing = await statusOf(id)
    assert.equal(processing.status, 'processing')
    assert.ok(Number(processing.progress) > 0 && Number(processing.progress) < 1)
    await failImage(server.db, { imageId: id, fence: 9, code: 'moderation_refused', message: 'No.' })
    const { status, error } = await statusOf(id)
    assert.deepEqual(
      { status, error },
      { status: 'failed', error: { code: 'moderation_refused', message: 'No.', refunded: true } },
    )
  })

  test('a finished one says what it is, and how many are ahead is counted', async () => {
    const png = await orderOne(server, { preserveOriginal: true })
    await finishNow(server.engine, png, 'image/png')
    const { status, progress, etaSeconds, contentType } = await statusOf(png)
    assert.deepEqual(
      { status, progress, etaSeconds, contentType },
      { status: 'finished', progress: 1, etaSeconds: 0, contentType: 'image/png' },
    )
    const answer = await server.post({ prompt: 'four', model: 'premium', numImages: 4 })
    const later = await server.post({ prompt: 'the fifth', model: 'premium' })
    assert.equal(answer.images.length, 4)
    assert.equal((await statusOf(idOf(later.images[0]?.url ?? ''))).queuePosition, 4)
  })
})
