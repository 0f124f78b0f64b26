// Not once more on Redis and S3: it is about one function of the ledger, and the servers only make its database.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { newImageId } from '@wombat/contract'
import type { Database } from '@wombat/database'
import { type AcceptRequest, openAcceptor, verifyLedger } from '@wombat/ledger'
import { query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
const { db, databaseUrl } = server
after(() => server[Symbol.asyncDispose]())

/** Before: the statement never reaches the server. After: it is committed, and its answer is lost. */
interface Loss {
  readonly when: 'before' | 'after'
  readonly code?: string
  readonly message?: string
  readonly times: number
}

/** The real database behind a line that breaks. */
function withLosses({ when, code, message = 'the line is broken', times }: Loss): {
  lossy: Database
  calls: () => number
} {
  let calls = 0
  const lossy: Database = {
    ...db,
    async run<Row extends object>(...statement: Parameters<Database['run']>) {
      calls += 1
      const isLost = calls <= times
      const rows = isLost && when === 'before' ? [] : await db.run<Row>(...statement)
      if (isLost) {
        throw Object.assign(new Error(message), code === undefined ? {} : { code })
      }
      return rows
    },
  }
  return { lossy, calls: () => calls }
}

function requestOf(accountId: string, changes: Partial<AcceptRequest> = {}): AcceptRequest {
  return {
    id: randomUUID(),
    accountId,
    keyId: randomUUID(),
    idempotency: undefined,
    model: 'standard',
    quality: 'standard',
    style: 'photo',
    isStyleGiven: false,
    width: 1024,
    height: 1024,
    prompt: 'wombat',
    isEnhanced: false,
    finalPrompt: 'wombat',
    alt: '',
    isAltWanted: false,
    referenceImages: [],
    isOriginalPreserved: false,
    creditsPerImage: 1,
    imageIds: [newImageId(), newImageId()],
    deadlineHours: 24,
    plan: 'professional',
    ...changes,
  }
}

async function countCharges(accountId: string): Promise<number> {
  return (await query(databaseUrl, `SELECT FROM ledger_entries WHERE kind = 'charge' AND account_id = $1`, [accountId]))
    .length
}

describe('a POST whose answer from the database is lost', () => {
  const losses: readonly Loss[] = [
    { when: 'after', message: 'Connection terminated unexpectedly', times: 1 },
    { when: 'after', code: 'ECONNRESET', times: 1 },
    { when: 'after', code: 'EPIPE', times: 5 },
    { when: 'before', code: 'EPIPE', times: 1 },
    { when: 'before', code: 'ECONNREFUSED', times: 2 },
  ]
  for (const loss of losses) {
    test(`${loss.times} times with ${loss.code ?? loss.message}, ${loss.when} the commit: is accepted and charged once`, async () => {
      const { accountId } = await server.createAccount({ credits: 10 })
      const { lossy } = withLosses(loss)
      const acceptor = openAcceptor(lossy)
      const outcomes = await Promise.all([1, 2].map(() => acceptor.accept(requestOf(accountId))))
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['accepted', 'accepted'],
      )
      assert.equal(await countCharges(accountId), 4)
      assert.equal(await server.balance(accountId), 6)
      assert.deepEqual((await verifyLedger(db)).faults, [])
    })
  }

  test('is refused after a few tries when the database is certainly not there, and nothing is charged', async () => {
    const { accountId } = await server.createAccount({ credits: 10 })
    const { lossy, calls } = withLosses({ when: 'before', code: 'ECONNREFUSED', times: 1_000 })
    await assert.rejects(openAcceptor(lossy).accept(requestOf(accountId)), /the line is broken/)
    assert.ok(calls() <= 5, `${calls()} tries`)
    assert.equal(await server.balance(accountId), 10)
  })

  test('replays its own idempotency key, whichever of the two answers was lost', async () => {
    const { accountId } = await server.createAccount({ credits: 10 })
    const idempotency = { keyHash: 'ab'.repeat(32), bodyHash: 'cd'.repeat(32) }
    const { lossy } = withLosses({ when: 'after', code: 'ECONNRESET', times: 1 })
    const request = requestOf(accountId, { idempotency })
    assert.equal((await openAcceptor(lossy).accept(request)).status, 'accepted')
    const again = await openAcceptor(db).accept(requestOf(accountId, { idempotency }))
    assert.deepEqual(again, { status: 'replay', balance: 8, requestId: request.id })
    assert.equal(await countCharges(accountId), 2)
  })
})

test('one request that can not be stored does not take those down that are gathered with it', async () => {
  const { accountId } = await server.createAccount({ credits: 100 })
  const acceptor = openAcceptor(db)
  const taken = requestOf(accountId)
  assert.equal((await acceptor.accept(taken)).status, 'accepted')
  const good = Array.from({ length: 10 }, () => requestOf(accountId))
  const bad = requestOf(accountId, { imageIds: taken.imageIds })
  const outcomes = await Promise.allSettled([...good, bad].map((request) => acceptor.accept(request)))
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    [...good.map(() => 'fulfilled'), 'rejected'],
  )
  assert.equal(await server.balance(accountId), 78)
  assert.deepEqual((await verifyLedger(db)).faults, [])
  await acceptor.drain()
})
