/** GET /metrics: what it counts, seen from outside, and who may read it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ERROR_STATUS } from '@wombat/contract'
import { REFUSED_WORD, startOpenAiEmulator, until } from '@wombat/testing'
import { idOf, openRaw, order, orderOne, pathOf, query, requestText } from './image-tools.ts'
import { type Scrape, scrape } from './scrape.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

const read = (server: TestServer) => scrape(`${server.url}/metrics`)

/** The gauges of the database are up to five seconds old. */
async function untilScrape(server: TestServer, what: string, holds: (found: Scrape) => boolean): Promise<Scrape> {
  let found = await read(server)
  await until(
    async () => {
      found = await read(server)
      return holds(found)
    },
    { timeoutMs: 12_000, what },
  )
  return found
}

describe('/metrics', { timeout: 60_000, concurrency: 4 }, () => {
  test('has names, types and help texts as Prometheus wants them, and bounded labels', async () => {
    await using server = await startTestServer()
    await order(server, { numImages: 2 })
    await server.get('/nothing/here-1')
    await server.get('/nothing/here-2')
    const { types, helps, samples } = await read(server)
    assert.ok(types.size > 40, `${types.size}`)
    for (const [name, type] of types) {
      assert.match(name, /^wombat_[a-z0-9_]+$/)
      assert.ok((helps.get(name) ?? '').length > 5, name)
      // Node's own are named by prom-client, some of them against the custom.
      const isOurs = !/^wombat_(nodejs|process)_/.test(name)
      assert.equal(isOurs && type === 'counter', isOurs && name.endsWith('_total'), `${name} ${type}`)
    }
    const values = new Map<string, Set<string>>()
    for (const { labels } of samples) {
      for (const [label, value] of Object.entries(labels)) {
        values.set(label, (values.get(label) ?? new Set()).add(value))
      }
    }
    const known = [
      'code',
      'failure',
      'kind',
      'le',
      'major',
      'method',
      'minor',
      'model',
      'operation',
      'outcome',
      'patch',
    ]
    const rest = ['result', 'route', 'space', 'state', 'statement', 'status', 'type', 'version']
    assert.deepEqual(
      [...values.keys()].filter((label) => ![...known, ...rest].includes(label)),
      [],
    )
    assert.deepEqual(values.get('status'), new Set(['2xx', '3xx', '4xx']))
    assert.ok([...(values.get('route') ?? [])].every((route) => !route.includes('here')))
    assert.ok(samples.length < 2_000, `${samples.length} series`)
  })

  test('counts requests by route and class, and those of the hot lane with them', async () => {
    await using server = await startTestServer()
    const id = await orderOne(server)
    assert.equal((await server.get(pathOf(id))).status, 200)
    const { headers } = await server.get(pathOf(id))
    const etag = headers.get('etag') ?? ''
    for (let times = 0; times < 3; times += 1) {
      assert.equal((await server.get(pathOf(id), { headers: { 'if-none-match': etag } })).status, 304)
    }
    await server.get('/api/image/v2-000000000-000000000.jpg')
    await server.post({ prompt: 'x' }, { key: null })
    const image = { method: 'GET', route: '/api/image/:name' }
    const found = await untilScrape(
      server,
      'the last answers are counted',
      ({ sum }) => sum('wombat_http_requests_total', { method: 'POST', status: '4xx' }) === 1,
    )
    assert.equal(found.sum('wombat_http_requests_total', { ...image, status: '2xx' }), 2)
    assert.equal(found.sum('wombat_http_requests_total', { ...image, status: '3xx' }), 3)
    assert.equal(found.sum('wombat_http_requests_total', { ...image, status: '4xx' }), 1)
    assert.equal(found.sum('wombat_http_requests_total', { route: '/api/image-generation/', status: '2xx' }), 1)
    assert.equal(found.sum('wombat_http_request_duration_seconds_count', { method: 'POST' }), 2)
    const lane = await openRaw(server.url, requestText(pathOf(id)))
    await until(() => lane.received.includes('200 OK'), { what: 'the hot lane answers' })
    lane.destroy()
    assert.equal((await read(server)).sum('wombat_http_requests_total', { ...image, status: '2xx' }), 3)
    assert.equal((await read(server)).sum('wombat_http_requests_total', { ...image, status: '2xx' }), 3)
    assert.ok(found.sum('wombat_image_cache_reads_total', { result: 'hit' }) >= 3)
    assert.equal(found.sum('wombat_image_cache_reads_total', { result: 'miss' }), 1)
    assert.ok(found.sum('wombat_image_cache_bytes') > 1_000)
    assert.equal(found.sum('wombat_image_cache_entries'), 1)
  })

  test('counts orders, ends, credits and calls of upstreams by outcome and class', async () => {
    await using emulator = await startOpenAiEmulator()
    await using server = await startTestServer({
      env: { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: emulator.url, RETRY_MAX_DELAY_SECONDS: '0.05' },
    })
    const model = 'gpt-image-2'
    emulator.setFault('server_error', { times: 1 })
    const [id] = await order(server, { model })
    assert.equal((await server.get(pathOf(id ?? ''))).status, 200)
    const refused = await orderOne(server, { model, prompt: REFUSED_WORD, quality: 'medium' })
    assert.equal((await server.get(pathOf(refused))).status, ERROR_STATUS.moderation_refused)
    const { sum } = await untilScrape(
      server,
      'the refund is counted',
      (found) => found.sum('wombat_credits_refunded_total') > 0,
    )
    assert.equal(sum('wombat_images_ordered_total', { model }), 2)
    assert.equal(sum('wombat_credits_charged_total'), 9)
    assert.equal(sum('wombat_credits_refunded_total'), 8)
    assert.equal(sum('wombat_images_finished_total', { model, state: 'ready', code: 'none' }), 1)
    assert.equal(sum('wombat_images_finished_total', { model, state: 'failed', code: 'moderation_refused' }), 1)
    assert.equal(sum('wombat_image_ready_seconds_count', { model }), 1)
    const route = 'openai'
    assert.equal(sum('wombat_attempts_total', { route, outcome: 'done', failure: 'none' }), 1)
    assert.equal(sum('wombat_attempts_total', { route, outcome: 'not_sent', failure: 'transient' }), 1)
    assert.equal(sum('wombat_attempts_total', { route, outcome: 'refused', failure: 'moderation' }), 1)
    assert.equal(sum('wombat_attempt_duration_seconds_count', { route }), 3)
    assert.equal(sum('wombat_store_operation_seconds_count', { operation: 'put', outcome: 'ok' }), 1)
    assert.ok(sum('wombat_database_statement_seconds_count', { statement: 'claim-image' }) >= 3)
  })

  test('an image past its deadline counts with the code and the refund of it', async () => {
    await using server = await startTestServer({
      env: { SYNTHETIC_SIMULATE: 'outage=10m', GENERATION_DEADLINE_HOURS: '0.0003' },
    })
    await orderOne(server)
    const { sum } = await untilScrape(server, 'it failed', (found) => found.sum('wombat_images_finished_total') > 0)
    assert.equal(sum('wombat_images_finished_total', { state: 'failed', code: 'generation_deadline' }), 1)
    assert.equal(sum('wombat_credits_refunded_total'), 1)
  })

  test('shows the queue, the age of its head and who waits', async () => {
    await using server = await startTestServer({ role: 'api' })
    const ids = await order(server, { numImages: 3 })
    const model = 'gpt-image-2'
    await query(server.databaseUrl, `UPDATE images SET due_at = now() - interval '90 s' WHERE id = $1`, [ids[0]])
    await query(server.databaseUrl, `UPDATE images SET due_at = now() + interval '90 s' WHERE id = $1`, [ids[1]])
    const gone = new AbortController()
    const held = server.get(pathOf(ids[2] ?? ''), { signal: gone.signal }).catch(() => {})
    const { sum } = await untilScrape(server, 'one waits', (found) => found.sum('wombat_waiters') === 1)
    assert.equal(sum('wombat_queue_images', { model }), 3)
    assert.equal(sum('wombat_queue_due_images', { model }), 2)
    const age = sum('wombat_queue_oldest_due_seconds', { model })
    assert.ok(age > 89 && age < 120, `${age}`)
    assert.equal(sum('wombat_queue_images', { model: 'standard' }), 0)
    assert.equal(sum('wombat_images_generating'), 0)
    assert.equal(sum('wombat_database_up'), 1)
    gone.abort()
    await held
    await untilScrape(server, 'nobody waits', (found) => found.sum('wombat_waiters') === 0)
  })

  test('shows the state of each route, and forgets one that is gone', async () => {
    await using server = await startTestServer()
    await query(
      server.databaseUrl,
      `INSERT INTO route_states (route, state, open_until) VALUES
       ('a', 'parked', now() + interval '1 h'), ('b', 'open', now() + interval '1 h'), ('c', 'closed', NULL)`,
    )
    const { samples } = await untilScrape(
      server,
      'the routes are there',
      (found) => found.sum('wombat_route_state') >= 3,
    )
    const states = samples.filter(
      ({ name, labels, value }) => name === 'wombat_route_state' && value === 1 && labels.route !== 'synthetic',
    )
    assert.deepEqual(
      states.map(({ labels }) => [labels.route, labels.state]),
      [
        ['a', 'parked'],
        ['b', 'open'],
        ['c', 'closed'],
      ],
    )
    await query(server.databaseUrl, `DELETE FROM route_states WHERE route = 'a'`)
    await untilScrape(server, 'the route is gone', (found) => !found.samples.some(({ labels }) => labels.route === 'a'))
  })

  test('answers without its database, and says so', async () => {
    await using server = await startTestServer()
    await read(server)
    const { run } = server.db
    server.engine.db.run = () => Promise.reject(new Error('no database'))
    const { sum } = await untilScrape(server, 'it is down', (found) => found.sum('wombat_database_up') === 0)
    assert.equal(sum('wombat_queue_images'), 0)
    server.engine.db.run = run
    await untilScrape(server, 'it is back', (found) => found.sum('wombat_database_up') === 1)
  })
})

describe('who may read /metrics', { timeout: 60_000 }, () => {
  const TOKEN = 'metrics-token-0123456789'

  test('without a token this machine, and nobody whom a proxy brings', async () => {
    await using server = await startTestServer()
    await read(server)
    for (const name of ['X-Forwarded-For', 'Forwarded', 'Via', 'X-Real-IP']) {
      const { status, error } = await server.get('/metrics', { headers: { [name]: '127.0.0.1' } })
      assert.equal(status, 401, name)
      assert.equal(error.code, 'unauthorized')
      assert.match(error.error, /METRICS_TOKEN/)
    }
    assert.equal((await server.get('/metrics', { method: 'POST' })).status, 405)
  })

  test('with a token whoever has it, from wherever he comes', async () => {
    await using server = await startTestServer({ env: { METRICS_TOKEN: TOKEN } })
    for (const authorization of ['', TOKEN, `Bearer ${TOKEN}x`, `Bearer ${server.apiKey}`]) {
      assert.equal((await server.get('/metrics', { headers: { authorization } })).status, 401, authorization)
    }
    const headers = { authorization: `Bearer ${TOKEN}`, 'x-forwarded-for': '192.0.2.1' }
    assert.ok((await scrape(`${server.url}/metrics`, { headers })).samples.length > 0)
  })

  test('nobody where METRICS is off', async () => {
    await using server = await startTestServer({ env: { METRICS: 'off' } })
    assert.equal((await server.get('/metrics')).status, 404)
    assert.equal((await server.get(pathOf(await orderOne(server)))).status, 200)
  })

  test('a worker answers on a port of its own, its health too, and only where that is wanted', async () => {
    await using api = await startTestServer({ role: 'api' })
    await using worker = await startTestServer({ role: 'worker', beside: api, env: { METRICS_PORT: '0' } })
    await using silent = await startTestServer({ role: 'worker', beside: api })
    assert.equal(silent.metricsUrl, undefined)
    assert.ok(worker.metricsUrl !== undefined)
    const answer = await api.post({ prompt: 'cat' })
    assert.equal((await api.get(pathOf(idOf(answer.images[0]?.url ?? '')))).status, 200)
    await until(
      async () => {
        const [one, other] = await Promise.all([
          scrape(`${worker.metricsUrl}/metrics`),
          worker.engine === silent.engine ? undefined : silent.engine.metrics.write(),
        ])
        return one.sum('wombat_images_finished_total') === 1 || /finished_total\{.*\} 1/.test(other?.text ?? '')
      },
      { what: 'one of the workers has counted it' },
    )
    assert.equal((await fetch(`${worker.metricsUrl}/health/ready`)).status, 200)
    assert.equal((await fetch(`${worker.metricsUrl}/api/image-generation/`, { method: 'POST' })).status, 405)
  })
})
