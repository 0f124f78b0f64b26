import assert from 'node:assert/strict'
import type { Database, Statement } from '@wombat/database'
import { type BudgetRow, type SpentBudget, toSpentBudget } from './budgets.ts'

/** One POST that passed every check but the one for credits. Its images are named before it is sent. */
export interface AcceptRequest {
  readonly id: string
  readonly accountId: string
  readonly keyId: string
  /** SHA-256 of the Idempotency-Key and of the body, in hexadecimal. */
  readonly idempotency: { readonly keyHash: string; readonly bodyHash: string } | undefined
  readonly model: string
  readonly quality: string
  readonly style: string
  readonly isStyleGiven: boolean
  readonly width: number
  readonly height: number
  readonly prompt: string
  readonly isEnhanced: boolean
  /** Undefined when the worker still has to ask the enhancer. */
  readonly finalPrompt: string | undefined
  readonly alt: string
  readonly isAltWanted: boolean
  readonly referenceImages: readonly string[]
  readonly isOriginalPreserved: boolean
  readonly creditsPerImage: number
  readonly imageIds: readonly string[]
  readonly deadlineHours: number
  /** The account's, which decides how long its images are kept. */
  readonly plan: string
  /** Faults to act out, for the synthetic provider. */
  readonly simulate?: string | undefined
  /** Names and values, for reports. */
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** What the transaction said. `balance` is the account's, in credits, after it. */
export type AcceptOutcome =
  | { readonly status: 'accepted'; readonly balance: number }
  | { readonly status: 'insufficient'; readonly balance: number }
  | { readonly status: 'replay'; readonly balance: number; readonly requestId: string }
  | { readonly status: 'conflict'; readonly balance: number }
  | { readonly status: 'disabled'; readonly balance: number }
  /** Looked at before the balance. */
  | { readonly status: 'over budget'; readonly balance: number; readonly budget: SpentBudget }

export interface RequestAcceptor {
  /** Takes the price and records the request with its images, or says why not. Throws only when nothing was committed. */
  accept(request: AcceptRequest): Promise<AcceptOutcome>
  /** Resolves when nothing is under way. */
  drain(): Promise<void>
}

interface OutcomeRow {
  readonly n: number
  readonly outcome: AcceptOutcome['status']
  readonly balance: number
  readonly request_id: string
  /** Of the outcome over budget. */
  readonly budget: BudgetRow | null
}

interface Waiting {
  readonly request: AcceptRequest
  readonly resolve: (outcome: AcceptOutcome) => void
  readonly reject: (error: unknown) => void
}

const ACCEPT: Statement = {
  name: 'accept-requests',
  text: 'SELECT n, outcome, balance, request_id, budget FROM accept_requests($1, $2)',
}

/** A larger batch gains nothing more and makes one statement long. */
const MOST_PER_STATEMENT = 128
/** Two, so that one is computed while the other waits for the disk. */
const STATEMENTS_AT_ONCE = 2
const RETRIES = 3
const RETRIES_WHEN_UNKNOWN = 12
const MOST_PAUSE_MS = 2_000
/** There was nobody to take the statement. */
const UNREACHABLE: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'])
/** The pool's words when all its connections are busy, or a new one takes too long. */
const NO_CONNECTION = /^timeout exceeded when trying to connect/
/** Serialization failure, deadlock, and a lock that was not to be had in time: safe to repeat, nothing was committed. */
const REPEATABLE = new Set(['40001', '40P01', '55P03'])

/**
 * Gathers what arrives while the previous statement is under way into the next one. No timer: a lone request is sent
 * at once, and under load one commit serves many.
 */
export function openAcceptor(db: Database): RequestAcceptor {
  let waiting: Waiting[] = []
  let running = 0
  let drained: (() => void)[] = []

  function pump() {
    while (running < STATEMENTS_AT_ONCE && waiting.length > 0) {
      const batch = waiting.slice(0, MOST_PER_STATEMENT)
      waiting = waiting.slice(MOST_PER_STATEMENT)
      running += 1
      void settle(db, batch).finally(() => {
        running -= 1
        pump()
        if (running === 0) {
          for (const resolve of drained) {
            resolve()
          }
          drained = []
        }
      })
    }
  }

  return {
    accept(request) {
      return new Promise<AcceptOutcome>((resolve, reject) => {
        waiting.push({ request, resolve, reject })
        // After the present tick, so that requests which were read together are charged together.
        if (waiting.length === 1 && running < STATEMENTS_AT_ONCE) {
          setImmediate(pump)
        }
      })
    },
    async drain() {
      if (running > 0 || waiting.length > 0) {
        await new Promise<void>((resolve) => drained.push(resolve))
      }
    },
  }
}

/** Never rejects: each waiting request gets its outcome or its error. */
async function settle(db: Database, batch: readonly Waiting[], progress = { mayBeCommitted: false }): Promise<void> {
  try {
    const rows = await send(db, batch, progress)
    for (const row of rows) {
      batch[row.n]?.resolve(toOutcome(row))
    }
  } catch (error) {
    if (batch.length > 1 && isStatementFault(error)) {
      // One of them can't be stored. The others must not suffer for it.
      await Promise.all(batch.map((one) => settle(db, [one], { ...progress })))
      return
    }
    for (const { reject } of batch) {
      reject(error)
    }
  }
}

/** Tries again after what passes. As long as a commit is possible but not known, that is for some ten seconds. */
async function send(
  db: Database,
  batch: readonly Waiting[],
  progress: { mayBeCommitted: boolean },
): Promise<OutcomeRow[]> {
  const payload = JSON.stringify(batch.map(({ request }, n) => toJson(request, n)))
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.run<OutcomeRow>(ACCEPT, [payload, progress.mayBeCommitted])
    } catch (error) {
      // After a lost connection the commit is unknown. The statement then looks for the ids of the requests first.
      progress.mayBeCommitted ||= isCommitPossible(error)
      if (attempt > (progress.mayBeCommitted ? RETRIES_WHEN_UNKNOWN : RETRIES) || isStatementFault(error)) {
        throw error
      }
      const pauseMs = Math.random() * Math.min(MOST_PAUSE_MS, 100 * 2 ** attempt)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
}

/** False when PostgreSQL itself said that it did not do it, or was not there to be asked. */
function isCommitPossible(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) {
    return /^(08|57P0[0-2])/.test(state)
  }
  return !(
    error instanceof Error && ('code' in error ? UNREACHABLE.has(error.code) : NO_CONNECTION.test(error.message))
  )
}

/** True for errors of the data or the statement itself, which a repetition would meet again. */
function isStatementFault(error: unknown): boolean {
  const state = sqlState(error)
  if (state === undefined || REPEATABLE.has(state)) {
    return false
  }
  // Connection exceptions, shutdown and crash of the server, and lack of resources.
  return !/^(08|57P|53)/.test(state)
}

/** Only PostgreSQL's own errors have a severity; the code of others, such as EPIPE, may look like a state of SQL. */
function sqlState(error: unknown): string | undefined {
  const isPostgres = error instanceof Error && 'severity' in error && 'code' in error
  return isPostgres && typeof error.code === 'string' ? error.code : undefined
}

function toOutcome(row: OutcomeRow): AcceptOutcome {
  const { outcome: status, balance } = row
  switch (status) {
    case 'replay':
      return { status, balance, requestId: row.request_id }
    case 'over budget': {
      assert(row.budget !== null)
      return { status, balance, budget: toSpentBudget(row.budget) }
    }
    case 'accepted':
    case 'insufficient':
    case 'conflict':
    case 'disabled':
      return { status, balance }
  }
}

function toJson(request: AcceptRequest, n: number) {
  return {
    n,
    id: request.id,
    account: request.accountId,
    key: request.keyId,
    idem: request.idempotency?.keyHash,
    body: request.idempotency?.bodyHash,
    model: request.model,
    quality: request.quality,
    style: request.style,
    styled: request.isStyleGiven,
    width: request.width,
    height: request.height,
    prompt: request.prompt,
    enhanced: request.isEnhanced,
    final: request.finalPrompt,
    alt: request.alt,
    wants_alt: request.isAltWanted,
    refs: request.referenceImages,
    preserve: request.isOriginalPreserved,
    price: request.creditsPerImage,
    images: request.imageIds,
    deadline_hours: request.deadlineHours,
    plan: request.plan,
    simulate: request.simulate,
    tags: request.tags,
  }
}
