import { type Database, withClient } from '@wombat/database'

export type NamedGroup = 'account' | 'key' | 'model' | 'day' | 'route'
/** Of a tag: a line for each of its values. */
export type UsageGroup = NamedGroup | `tag:${string}`

export interface UsageFilter {
  readonly by: UsageGroup
  /** When the image was ordered: from this moment on. */
  readonly since?: Date | undefined
  /** Before this moment. */
  readonly until?: Date | undefined
  readonly accountId?: string | undefined
}

/** Credits, images and calls of one account, key, model, day, route or value of a tag. */
export interface UsageLine {
  /** An id, a model, a day of UTC such as 2026-01-31, a route, the value of a tag; null for images that no route has had yet, or without the tag. */
  readonly group: string | null
  /** Of an account or a key. */
  readonly name: string | null
  /** Of a key. */
  readonly lastFour: string | null
  /** All images that were ordered, whatever became of them. */
  readonly ordered: number
  /** Those that were made, also those that were removed since: the past does not change. */
  readonly ready: number
  readonly failed: number
  readonly creditsCharged: number
  readonly creditsRefunded: number
  readonly creditsNet: number
  readonly attempts: number
  /** What the upstreams took, as far as it is known. */
  readonly costMicroUsd: number
  /** Calls of paid upstreams that ended without anybody knowing what they cost. */
  readonly unknownCosts: number
}

/** What an image is counted under, and what a call of it is; `names` finds what people call that. */
interface Grouping {
  readonly image: string
  readonly attempt: string
  readonly join: string
  readonly names: string
  readonly columns: string
  readonly order: string
}

const PLAIN = { attempt: 'c.grp', join: '', names: '', columns: 'NULL AS name, NULL AS "lastFour"' }
const MOST_FIRST = 'ordered DESC, attempts DESC, u.grp'

const GROUPINGS: Readonly<Record<NamedGroup, Grouping>> = {
  account: {
    ...PLAIN,
    image: 'i.account_id::text',
    names: 'LEFT JOIN accounts a ON a.id = u.grp::uuid',
    columns: 'a.name, NULL AS "lastFour"',
    order: MOST_FIRST,
  },
  key: {
    ...PLAIN,
    image: 'r.key_id::text',
    join: 'JOIN requests r ON r.id = i.request_id',
    names: 'LEFT JOIN api_keys k ON k.id = u.grp::uuid',
    columns: 'k.name, k.last_four AS "lastFour"',
    order: MOST_FIRST,
  },
  model: { ...PLAIN, image: 'i.model', order: MOST_FIRST },
  day: { ...PLAIN, image: `to_char(i.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')`, order: 'u.grp' },
  // An image counts for the route that had it last, a call and its cost for the route that was called. Calls from before
  // there were routes have their provider's name, as their images do.
  route: { ...PLAIN, image: 'i.route', attempt: 'coalesce(t.route, t.provider)', order: MOST_FIRST },
}

/** `$1` is the tag's name. */
const BY_TAG: Grouping = {
  ...PLAIN,
  image: 'r.tags ->> $1::text',
  join: 'JOIN requests r ON r.id = i.request_id',
  order: MOST_FIRST,
}

function groupingOf(by: UsageGroup): { grouping: Grouping; values: unknown[] } {
  return isTagGroup(by)
    ? { grouping: BY_TAG, values: [by.slice('tag:'.length)] }
    : { grouping: GROUPINGS[by], values: [] }
}

function isTagGroup(by: UsageGroup): by is `tag:${string}` {
  return by.startsWith('tag:')
}

/*
 * Images, entries and calls are added up apart, so that an image with two calls is not counted twice. Sums come as
 * doubles, which are exact up to 2^53. A call that was not sent cost nothing, which is known.
 */
function usageText({ image, attempt, join, names, columns, order }: Grouping, where: string): string {
  return `
    WITH chosen AS (SELECT i.id, i.status, ${image} AS grp FROM images i ${join} ${where}),
    parts AS (
      SELECT c.grp, count(*) AS ordered, count(*) FILTER (WHERE c.status IN ('ready', 'removed')) AS ready,
             count(*) FILTER (WHERE c.status = 'failed') AS failed,
             0 AS charged, 0 AS refunded, 0 AS attempts, 0 AS cost, 0 AS unknown
      FROM chosen c GROUP BY c.grp
      UNION ALL
      SELECT c.grp, 0, 0, 0, coalesce(-sum(e.amount) FILTER (WHERE e.kind = 'charge'), 0),
             coalesce(sum(e.amount) FILTER (WHERE e.kind = 'refund'), 0), 0, 0, 0
      FROM chosen c JOIN ledger_entries e ON e.kind IN ('charge', 'refund') AND e.ref = c.id GROUP BY c.grp
      UNION ALL
      SELECT ${attempt}, 0, 0, 0, 0, 0, count(*), coalesce(sum(t.cost_micro_usd), 0),
             count(*) FILTER (WHERE t.is_paid AND t.cost_micro_usd IS NULL AND t.outcome <> 'not_sent')
      FROM chosen c JOIN attempts t ON t.image_id = c.id GROUP BY 1),
    u AS (
      SELECT grp, sum(ordered)::float8 AS ordered, sum(ready)::float8 AS ready, sum(failed)::float8 AS failed,
             sum(charged)::float8 AS "creditsCharged", sum(refunded)::float8 AS "creditsRefunded",
             sum(charged - refunded)::float8 AS "creditsNet", sum(attempts)::float8 AS attempts,
             sum(cost)::float8 AS "costMicroUsd", sum(unknown)::float8 AS "unknownCosts"
      FROM parts GROUP BY grp)
    SELECT u.grp AS "group", ${columns}, u.ordered, u.ready, u.failed, u."creditsCharged", u."creditsRefunded",
           u."creditsNet", u.attempts, u."costMicroUsd", u."unknownCosts"
    FROM u ${names} ORDER BY ${order}`
}

/**
 * Adds up what was used by the images that were ordered in a time. One statement, so it sees one snapshot; on a
 * connection of its own and without a limit of time, since over years it takes longer than other statements may.
 */
export async function sumUsage(db: Database, { by, since, until, accountId }: UsageFilter): Promise<UsageLine[]> {
  const { grouping, values } = groupingOf(by)
  const conditions: string[] = []
  const add = (condition: string, value: unknown) => {
    if (value !== undefined) {
      values.push(value)
      conditions.push(`${condition} $${values.length}`)
    }
  }
  add('i.created_at >=', since)
  add('i.created_at <', until)
  add('i.account_id =', accountId)
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
  return await withClient(db.url, async (client) => {
    await client.query('SET statement_timeout = 0')
    await client.query('SET lock_timeout = 0')
    const { rows } = await client.query(usageText(grouping, where), values)
    return rows
  })
}
