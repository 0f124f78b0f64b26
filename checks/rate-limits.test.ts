/** 429: how many POSTs a minute, for whom, and what the answer says. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { Answer } from './send.ts'
import { startTestServer } from './server-fixture.ts'

const CAT = { prompt: 'cat' }

async function repeat(times: number, send: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let turn = 0; turn < times; turn += 1) {
    answers.push(await send())
  }
  return answers
}

const statusesOf = (answers: readonly Answer[]) => answers.map(({ status }) => status)

describe('POSTs', async () => {
  const server = await startTestServer({ role: 'api', env: { RATE_LIMIT_PER_MINUTE: '3' } })
  after(() => server[Symbol.asyncDispose]())

  test('the default limit holds for a key, and headers count down to it', async () => {
    const { apiKey } = await server.createAccount()
    const answers = await repeat(4, () => server.post(CAT, { key: apiKey }))
    assert.deepEqual(statusesOf(answers), [200, 200, 200, 429])
    assert.deepEqual(
      answers.map(({ headers }) => headers.get('ratelimit-remaining')),
      ['2', '1', '0', '0'],
    )
    for (const { headers } of answers) {
      assert.equal(headers.get('ratelimit-limit'), '3')
      const reset = Number(headers.get('ratelimit-reset'))
      assert.ok(reset > 50 && reset <= 60)
    }
  })

  test('the answer says how long to wait and which limit it was, and charges nothing', async () => {
    const { apiKey, accountId } = await server.createAccount()
    const answers = await repeat(5, () => server.post(CAT, { key: apiKey }))
    const last = answers.at(-1)
    assert.equal(last?.status, 429)
    const seconds = Number(last?.headers.get('retry-after'))
    assert.ok(seconds > 50 && seconds <= 60)
    assert.equal(last?.error.code, 'rate_limited')
    assert.deepEqual(last?.error.details, { scope: 'key', limit: 3, windowSeconds: 60 })
    assert.match(last?.error.error ?? '', /3 requests a minute.*Try again in \d+ s/)
    assert.equal(await server.balance(accountId), 997)
  })

  test('one key does not use up the limit of another', async () => {
    const [one, other] = await Promise.all([server.createAccount(), server.createAccount()])
    await repeat(4, () => server.post(CAT, { key: one.apiKey }))
    assert.deepEqual(statusesOf(await repeat(3, () => server.post(CAT, { key: other.apiKey }))), [200, 200, 200])
  })

  test('an account may have a limit of its own, above or below the default', async () => {
    const low = await server.createAccount({ rateLimitPerMinute: 1 })
    assert.deepEqual(statusesOf(await repeat(2, () => server.post(CAT, { key: low.apiKey }))), [200, 429])
    const high = await server.createAccount({ rateLimitPerMinute: 5 })
    assert.deepEqual(
      statusesOf(await repeat(6, () => server.post(CAT, { key: high.apiKey }))),
      [200, 200, 200, 200, 200, 429],
    )
  })

  test('a key may have a limit of its own, which wins over the default', async () => {
    const low = await server.createAccount({ keyRateLimitPerMinute: 2 })
    assert.deepEqual(statusesOf(await repeat(3, () => server.post(CAT, { key: low.apiKey }))), [200, 200, 429])
    const high = await server.createAccount({ keyRateLimitPerMinute: 4 })
    assert.deepEqual(
      statusesOf(await repeat(5, () => server.post(CAT, { key: high.apiKey }))),
      [200, 200, 200, 200, 429],
    )
  })

  test('ten POSTs at the same moment do not slip past it', async () => {
    const { apiKey } = await server.createAccount()
    const answers = await Promise.all(Array.from({ length: 10 }, () => server.post(CAT, { key: apiKey })))
    assert.deepEqual(statusesOf(answers).sort(), [200, 200, 200, 429, 429, 429, 429, 429, 429, 429])
  })

  test('refused requests count as well', async () => {
    const { apiKey } = await server.createAccount({ credits: 0 })
    assert.deepEqual(statusesOf(await repeat(4, () => server.post(CAT, { key: apiKey }))), [402, 402, 402, 429])
  })
})

test('by default a key may send 60 a minute, also four in a second', async () => {
  await using server = await startTestServer({ role: 'api', env: { RATE_LIMIT_PER_MINUTE: '' } })
  const answers = await repeat(61, () => server.post({ prompt: '' }))
  assert.deepEqual(new Set(statusesOf(answers.slice(0, 60))), new Set([400]))
  assert.equal(answers[60]?.status, 429)
})

describe('failed authentications', async () => {
  const env = { AUTH_FAILURES_PER_MINUTE: '3', TRUST_PROXY: '127.0.0.1' }
  const server = await startTestServer({ role: 'api', env })
  after(() => server[Symbol.asyncDispose]())
  const fail = (address: string, key: string | null = crypto.randomUUID()) =>
    server.post(CAT, { key, headers: { 'x-forwarded-for': address } })

  test('too many of one address are 429 with the scope address, and Retry-After', async () => {
    const answers = await repeat(4, () => fail('192.0.2.1'))
    assert.deepEqual(statusesOf(answers), [401, 401, 401, 429])
    const last = answers.at(-1)
    assert.deepEqual(last?.error.details, { scope: 'address', limit: 3, windowSeconds: 60 })
    assert.ok(Number(last?.headers.get('retry-after')) > 50)
  })

  test('keys of any shape count, and none at all', async () => {
    const statuses = [
      await fail('192.0.2.2', null),
      await fail('192.0.2.2', 'x'),
      await fail('192.0.2.2'),
      await fail('192.0.2.2', null),
    ]
    assert.deepEqual(statusesOf(statuses), [401, 401, 401, 429])
  })

  test('another address is not concerned, and neither is a key that is in use at the same one', async () => {
    const good = () => server.post(CAT, { headers: { 'x-forwarded-for': '192.0.2.3' } })
    assert.equal((await good()).status, 200)
    await repeat(4, () => fail('192.0.2.3'))
    assert.equal((await good()).status, 200)
    assert.equal((await fail('192.0.2.4')).status, 401)
  })

  test('all of an IPv6 network of 64 bits is one address', async () => {
    const answers = [
      await fail('2001:db8:1:2::1'),
      await fail('2001:db8:1:2:ffff::'),
      await fail('2001:db8:1:2:3:4:5:6'),
    ]
    assert.deepEqual(statusesOf(answers), [401, 401, 401])
    assert.equal((await fail('2001:0db8:0001:0002::9')).status, 429)
    assert.equal((await fail('2001:db8:1:3::1')).status, 401)
  })
})

test('an address is not what the client says it is, unless its proxy is trusted', async () => {
  await using server = await startTestServer({ role: 'api', env: { AUTH_FAILURES_PER_MINUTE: '2' } })
  const statuses = []
  for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
    statuses.push((await server.post(CAT, { key: null, headers: { 'x-forwarded-for': address } })).status)
  }
  assert.deepEqual(statuses, [401, 401, 429])
})
