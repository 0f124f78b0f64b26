// Not once more on Redis and S3: it is about what the database refuses, and the servers only fill it.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { changeBalance, failImage, verifyLedger } from '@wombat/ledger'
import { finishNow, order, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
after(() => server[Symbol.asyncDispose]())

const ids = { queued: '', generating: '', ready: '', failed: '' }

before(async () => {
  const [queued = '', generating = '', ready = '', failed = ''] = await order(server, { numImages: 4 })
  Object.assign(ids, { queued, generating, ready, failed })
  await finishNow(server.engine, ready, 'image/jpeg')
  await failImage(server.db, { imageId: failed, fence: undefined, code: 'generation_failed', message: '' })
  await query(
    server.databaseUrl,
    `UPDATE images SET status = 'generating', fence = 1, lease_owner = 'a', lease_until = now() + interval '1 h' WHERE id = $1`,
    [generating],
  )
})

// PostgreSQL 18 has a code of its own for RESTRICT.
const [INTEGRITY, FOREIGN_KEY, UNIQUE, CHECK] = [/^23000$/, /^(23001|23503)$/, /^23505$/, /^23514$/] as const

/** Runs a statement that has to be refused with a state of SQL. `:queued` and the like are ids, `:account` the account. */
async function refused(statement: string, state: RegExp) {
  const named: Record<string, string> = { ...ids, account: server.accountId }
  const text = statement.replace(/(?<!:):([a-z]+)/g, (_, name: string) => `'${named[name] ?? assert.fail(name)}'`)
  await assert.rejects(query(server.databaseUrl, text), (error) => {
    assert.ok(error instanceof Error && 'code' in error, String(error))
    assert.match(String(error.code), state, `${text}: ${error.message}`)
    return true
  })
}

describe('the database itself refuses', () => {
  test('any change of an entry of the ledger', async () => {
    await refused('UPDATE ledger_entries SET amount = amount', INTEGRITY)
    await refused(`UPDATE ledger_entries SET note = 'x' WHERE ref = :queued`, INTEGRITY)
    await refused('DELETE FROM ledger_entries WHERE ref = :queued', INTEGRITY)
    await refused('TRUNCATE ledger_entries', INTEGRITY)
    await refused('TRUNCATE accounts CASCADE', INTEGRITY)
  })

  test('a balance below zero, in the account and in the ledger', async () => {
    await refused('UPDATE accounts SET balance = -1', CHECK)
    await refused(entry('charge', -1, 'x', -1), CHECK)
  })

  test('a second charge and a second refund of one image, whatever the amount', async () => {
    await refused(entry('charge', -1, ids.queued), UNIQUE)
    await refused(entry('charge', -8, ids.failed), UNIQUE)
    await refused(entry('refund', 1, ids.failed), UNIQUE)
  })

  test('an entry of another kind, with the wrong sign, or of no account', async () => {
    await refused(entry('gift', 1, 'x'), CHECK)
    for (const [kind, amount] of [
      ['grant', 0],
      ['grant', -1],
      ['charge', 1],
      ['charge', 0],
      ['refund', -1],
      ['adjustment', 0],
    ] as const) {
      await refused(entry(kind, amount, 'x'), CHECK)
    }
    await refused(entry('grant', 1, 'x').replace(':account', `gen_random_uuid()`), FOREIGN_KEY)
    await refused('DELETE FROM accounts', FOREIGN_KEY)
    await refused('DELETE FROM requests', FOREIGN_KEY)
  })

  test('an image that is half in a state', async () => {
    const halves: Record<keyof typeof ids, readonly string[]> = {
      queued: [
        `status = 'generating'`,
        `status = 'generating', lease_owner = 'a'`,
        `lease_owner = 'a'`,
        'lease_until = now()',
        'finished_at = now()',
        `object_key = 'x'`,
        `status = 'ready'`,
        `status = 'failed'`,
        `status = 'failed', finished_at = now()`,
        `status = 'failed', failure_code = 'x'`,
        `status = 'lost'`,
        'fence = -1',
        'position = 4',
      ],
      generating: [
        `status = 'queued'`,
        'lease_owner = NULL',
        'lease_until = NULL',
        'finished_at = now()',
        `object_key = 'x'`,
      ],
      ready: [
        'object_key = NULL',
        'sha256 = NULL',
        'size_bytes = 0',
        'stored_at = NULL',
        'finished_at = NULL',
        `content_type = 'image/svg+xml'`,
        `failure_code = 'x'`,
        `status = 'failed', failure_code = 'x'`,
        `status = 'queued'`,
      ],
      failed: [
        'failure_code = NULL',
        'finished_at = NULL',
        `object_key = 'x'`,
        `status = 'queued'`,
        `status = 'ready'`,
      ],
    }
    for (const [state, changes] of Object.entries(halves)) {
      for (const change of changes) {
        await refused(`UPDATE images SET ${change} WHERE id = :${state}`, CHECK)
      }
    }
  })

  test('two images with one object, and an attempt that is half closed', async () => {
    await refused(
      `UPDATE images SET status = 'ready', lease_owner = NULL, lease_until = NULL, finished_at = now(), stored_at = now(), sha256 = 'a',
         size_bytes = 1, content_type = 'image/jpeg', object_key = (SELECT object_key FROM images WHERE id = :ready)
       WHERE id = :generating`,
      UNIQUE,
    )
    const attempt = 'INSERT INTO attempts (image_id, fence, provider, is_paid, outcome, finished_at) VALUES'
    await refused(`${attempt} (:queued, 1, 'x', true, 'done', NULL)`, CHECK)
    await refused(`${attempt} (:queued, 1, 'x', true, NULL, now())`, CHECK)
    await refused(`${attempt} (:queued, 1, 'x', true, 'perhaps', now())`, CHECK)
    await refused(`${attempt} ('nothing', 1, 'x', true, NULL, NULL)`, FOREIGN_KEY)
  })

  test('and after all that the ledger is as it was', async () => {
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
    assert.equal(await server.balance(), 997)
  })
})

describe('bookings by hand', () => {
  test('fifty that take one credit from a balance of twenty: twenty are booked', async () => {
    const { accountId } = await server.createAccount({ credits: 20 })
    const change = { accountId, kind: 'adjustment', credits: -1 } as const
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => changeBalance(server.db, change)))
    assert.equal(outcomes.filter(({ status }) => status === 'changed').length, 20)
    assert.equal(outcomes.filter(({ status }) => status === 'insufficient').length, 30)
    assert.equal(await server.balance(accountId), 0)
  })

  test('the same invoice ten times at once is booked once, and with another amount refused', async () => {
    const { accountId } = await server.createAccount({ credits: 0 })
    const grant = { accountId, kind: 'grant', credits: 50, ref: 'invoice 7' } as const
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => changeBalance(server.db, grant)))
    assert.equal(outcomes.filter(({ status }) => status === 'changed').length, 1)
    assert.equal(outcomes.filter(({ status }) => status === 'repeated').length, 9)
    assert.equal(await server.balance(accountId), 50)
    await assert.rejects(changeBalance(server.db, { ...grant, credits: 60 }), /invoice 7/)
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})

function entry(kind: string, amount: number, ref: string, after = 5): string {
  return `INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref) VALUES (:account, '${kind}', ${amount}, ${after}, '${ref}')`
}
