import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { withClient } from '@wombat/database'
import { failImage, type LedgerReport, verifyLedger } from '@wombat/ledger'
import { finishNow, order, orderOne } from './image-tools.ts'

import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
after(() => server[Symbol.asyncDispose]())

const { accountId: other } = await server.createAccount({ credits: 7 })
const [queued = '', ready = '', failed = ''] = await order(server, { numImages: 3, quality: 'high' })
await finishNow(server.engine, ready, 'image/jpeg')
await failImage(server.db, { imageId: failed, fence: undefined, code: 'generation_failed', message: '' })

const BALANCE = 'a balance is the sum of its entries'
const CHAIN = 'each entry carries on from the one before'
const UNCHARGED = 'each image is charged'
const TWICE = 'an image is charged once and refunded at most once'
const STRANGE = 'a charge is for an image of the same account'
const REFUND = 'a failed image, and no other, is refunded what it was charged'

/** Verifies after some statements that no code of ours could run, and takes them back. */
async function verifyBroken(statements: readonly string[]): Promise<LedgerReport> {
  const backup = ['accounts', 'ledger_entries', 'images']
  // A connection of its own, with which the setting ends.
  const run = (text: string) =>
    withClient(server.databaseUrl, (client) => client.query(`SET session_replication_role = replica; ${text}`))
  await run(backup.map((table) => `CREATE TABLE backup_${table} AS TABLE ${table}`).join(';'))
  await run('DROP INDEX ledger_entries_kind_ref_key; ALTER TABLE ledger_entries DISABLE TRIGGER ALL')
  try {
    await run(statements.join(';'))
    return await verifyLedger(server.db)
  } finally {
    await run(
      backup
        .map((table) => `DELETE FROM ${table}; INSERT INTO ${table} TABLE backup_${table}; DROP TABLE backup_${table}`)
        .join(';'),
    )
    await run(
      'CREATE UNIQUE INDEX ledger_entries_kind_ref_key ON ledger_entries (kind, ref); ALTER TABLE ledger_entries ENABLE TRIGGER ALL',
    )
  }
}

function book(kind: string, amount: number, ref: string, account = server.accountId): string {
  return `WITH changed AS (UPDATE accounts SET balance = balance + ${amount} WHERE id = '${account}' RETURNING id, balance)
    INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref) SELECT id, '${kind}', ${amount}, balance, '${ref}' FROM changed`
}

describe('ledger verify', () => {
  test('is content with what the server does', async () => {
    const { faults, ...counts } = await verifyLedger(server.db)
    assert.deepEqual(faults, [])
    assert.deepEqual(counts, { accounts: 2, entries: 6, images: 3, credits: 967 })
  })

  const cases: readonly [string, readonly string[], readonly [string, string][]][] = [
    [
      'a balance that was changed by hand',
      [`UPDATE accounts SET balance = balance + 1 WHERE id = '${other}'`],
      [[BALANCE, other]],
    ],
    [
      'an entry that was changed',
      [`UPDATE ledger_entries SET amount = 8 WHERE account_id = '${other}'`],
      [
        [BALANCE, other],
        [CHAIN, other],
      ],
    ],
    [
      'a balance beside an entry that was changed',
      [`UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE ref = '${failed}' AND kind = 'refund'`],
      [[CHAIN, server.accountId]],
    ],
    [
      'an entry that was removed',
      [`DELETE FROM ledger_entries WHERE ref = '${queued}'`],
      [
        [BALANCE, server.accountId],
        [CHAIN, server.accountId],
        [UNCHARGED, queued],
      ],
    ],
    [
      'an image that nobody paid for',
      [`UPDATE images SET id = 'v2-free' WHERE id = '${queued}'`],
      [
        [UNCHARGED, 'v2-free'],
        [STRANGE, queued],
      ],
    ],
    ['a charge for an image that does not exist', [book('charge', -1, 'v2-none')], [[STRANGE, 'v2-none']]],
    [
      "a refund for somebody else's image",
      [book('refund', 20, ready, other)],
      [
        [STRANGE, ready],
        [REFUND, ready],
      ],
    ],
    ['an image that was charged twice', [book('charge', -20, ready)], [[TWICE, ready]]],
    ['an image that was refunded twice', [book('refund', 20, failed)], [[TWICE, failed]]],
    ['a ready image that was refunded', [book('refund', 20, ready)], [[REFUND, ready]]],
    [
      'a refund of another amount',
      [
        book('refund', 19, queued),
        `UPDATE images SET status = 'failed', failure_code = 'x', finished_at = now() WHERE id = '${queued}'`,
      ],
      [[REFUND, queued]],
    ],
    [
      'a failed image that was not refunded',
      [`UPDATE images SET status = 'failed', failure_code = 'x', finished_at = now() WHERE id = '${queued}'`],
      [[REFUND, queued]],
    ],
  ]
  for (const [name, statements, expected] of cases) {
    test(`finds ${name}`, async () => {
      const { faults } = await verifyBroken(statements)
      assert.deepEqual(
        faults.map(({ rule, subject }) => [rule, subject]),
        expected,
      )
      assert.ok(faults.every(({ detail }) => detail !== ''))
      assert.deepEqual((await verifyLedger(server.db)).faults, [])
    })
  }

  test('raises no false alarm while a busy server charges, refunds and books', async () => {
    let isOver = false
    const work = async () => {
      for (let round = 0; round < 15; round += 1) {
        const id = await orderOne(server)
        await Promise.all([
          failImage(server.db, { imageId: id, fence: undefined, code: 'generation_failed', message: '' }),
          server.createAccount({ credits: 3 }),
        ])
      }
    }
    const working = Promise.all([work(), work(), work()]).finally(() => {
      isOver = true
    })
    do {
      assert.deepEqual((await verifyLedger(server.db)).faults, [])
    } while (!isOver)
    await working
  })
})

test('ledger verify adds up more credits than fit into 32 bits', async () => {
  await using rich = await startTestServer({ role: 'api', env: { BOOTSTRAP_CREDITS: '1000000000' } })
  await rich.createAccount({ credits: 1_000_000_000 })
  await rich.createAccount({ credits: 1_000_000_000 })
  const { credits, faults } = await verifyLedger(rich.db)
  assert.equal(credits, 3_000_000_000)
  assert.deepEqual(faults, [])
})
