import { WombatError } from '@wombat/client'
import { ADMIN, type Answered } from '@wombat/contract'
import type { Account, CreditOutcome, ErasureCounts, Operations, Page, PageWish, RetryOutcome } from '@wombat/engine'
import { type AdminClient, createAdminClient } from './admin-client.ts'
import { CliError } from './errors.ts'

type Call = AdminClient['call']

/** A part of a list that a server hands out at once. */
const MOST_A_PAGE = 1000

/** An operator's work, done by a distant server through its admin API. */
export function openServerOperations(server: { url: string; token: string; stop: AbortSignal }): Operations {
  const { url, token, stop } = server
  const client = createAdminClient({ baseUrl: url, token })
  const call: Call = async (operation, sending) => {
    try {
      return await client.call(operation, sending, { signal: stop })
    } catch (error) {
      throw explain(error, url)
    }
  }
  return { ...ofAccounts(call, stop), ...ofCredits(call), ...ofImages(call), ...ofRoutes(call) }
}

/** What a command has no words of its own for. Not found and conflicts are told apart by who asked. */
function explain(error: unknown, url: string): unknown {
  if (!(error instanceof WombatError)) {
    return error
  }
  const { code, message, details } = error
  const cause = { cause: error }
  if (code === 'unreachable') {
    return new CliError('unreachable', `The server at ${url} could not be reached, or broke off its answer.`, cause)
  }
  if (code === 'unauthorized') {
    return new CliError('configuration', `The server at ${url} does not take this token.`, cause)
  }
  if (code === 'unexpected' || (code === 'not_found' && details === undefined)) {
    return new CliError(
      'unreachable',
      `There is no admin API at ${url}: is ADMIN_TOKEN set there, and the address right?`,
      cause,
    )
  }
  if (code === 'invalid_request') {
    return new CliError('usage', message.replace(/\.$/, ''), cause)
  }
  return code === 'not_found' || code === 'conflict' ? error : new CliError('failed', message, cause)
}

/** Undefined for what is not there. */
async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof WombatError && error.code === 'not_found') {
      return undefined
    }
    throw error
  }
}

/** What came of a conflict, or undefined for what is not there. */
async function orReason<T>(answer: Promise<T>): Promise<T | { reason: string; balance: number } | undefined> {
  try {
    return await orUndefined(answer)
  } catch (error) {
    if (error instanceof WombatError && error.code === 'conflict') {
      return { reason: String(error.details?.reason), balance: Number(error.details?.balance) }
    }
    throw error
  }
}

/** As many parts as it takes. */
async function collect<T>(
  { limit, cursor }: PageWish,
  list: (page: { limit: number; cursor?: string }) => Promise<Page<T>>,
): Promise<Page<T>> {
  const items: T[] = []
  let next = cursor ?? null
  do {
    const most = Math.min(MOST_A_PAGE, limit - items.length)
    const part = await list({ limit: most, ...(next === null ? {} : { cursor: next }) })
    items.push(...part.items)
    next = part.next
  } while (next !== null && items.length < limit)
  return { items, next }
}

function toAccount({ accountId, ...rest }: Answered<typeof ADMIN.changeAccount>): Account {
  return { id: accountId, ...rest }
}

function ofAccounts(call: Call, stop: AbortSignal) {
  return {
    async openAccount(wish) {
      const { keyId, apiKey, ...account } = await call(ADMIN.createAccount, { body: wish })
      return { account: toAccount(account), keyId, apiKey }
    },
    listAccounts: (page) =>
      collect(page, async (query) => {
        const { items, next } = await call(ADMIN.listAccounts, { query })
        return { items: items.map(({ keys, ...account }) => ({ ...toAccount(account), keys })), next }
      }),
    async showAccount(accountId) {
      const shown = await orUndefined(call(ADMIN.showAccount, { params: { accountId } }))
      if (shown === undefined) {
        return undefined
      }
      const { keys, ...account } = shown
      return { account: toAccount(account), keys }
    },
    setAccountDisabled: async (accountId, isDisabled) =>
      (await orUndefined(call(isDisabled ? ADMIN.disableAccount : ADMIN.enableAccount, { params: { accountId } }))) !==
      undefined,
    async eraseAccount(accountId, { isToBeDisabled, onBatch }) {
      const counts: { -readonly [Name in keyof ErasureCounts]: number } = { refunded: 0, removed: 0, forgotten: 0 }
      for (;;) {
        const part = await orUndefined(
          call(ADMIN.eraseAccount, { params: { accountId }, body: { disable: isToBeDisabled } }),
        )
        if (part === undefined) {
          return undefined
        }
        counts.refunded += part.refunded
        counts.removed += part.removed
        counts.forgotten += part.forgotten
        if (part.complete || stop.aborted) {
          return { counts, isComplete: part.complete, isDisabled: part.disabled }
        }
        onBatch(counts.refunded + counts.removed + counts.forgotten)
      }
    },
    issueKey: ({ accountId, expiresAt, ...wish }) =>
      orUndefined(
        call(ADMIN.createKey, {
          params: { accountId },
          body: { ...wish, ...(expiresAt == null ? {} : { expiresAt: expiresAt.toISOString() }) },
        }),
      ),
    withdrawKey: async (keyId) => (await orUndefined(call(ADMIN.revokeKey, { params: { keyId } }))) !== undefined,
  } satisfies Partial<Operations>
}

function ofCredits(call: Call) {
  return {
    async bookCredits({ accountId, kind, ...body }): Promise<CreditOutcome> {
      const operation = kind === 'grant' ? ADMIN.grantCredits : ADMIN.adjustCredits
      const outcome = await orReason(call(operation, { params: { accountId }, body }))
      if (outcome === undefined) {
        return { status: 'unknown account' }
      }
      if (!('reason' in outcome)) {
        return { status: 'booked', balance: outcome.balance, ref: outcome.ref, isRepeated: outcome.repeated }
      }
      switch (outcome.reason) {
        case 'insufficient':
          return { status: 'insufficient', balance: outcome.balance }
        case 'ref used':
          return { status: 'ref used' }
        default:
          return { status: 'too large' }
      }
    },
    listEntries: (accountId, page) =>
      collect(page, (query) => call(ADMIN.listEntries, { params: { accountId }, query })),
    verifyLedger: async () => {
      const { ok: _, ...report } = await call(ADMIN.verifyLedger)
      return report
    },
    sumUsage: async ({ by, since, until, accountId }) => {
      const query = { by, since: since?.toISOString(), until: until?.toISOString(), accountId }
      return (await call(ADMIN.usage, { query })).lines
    },
  } satisfies Partial<Operations>
}

function ofImages(call: Call) {
  return {
    listImages: ({ limit, cursor, since, until, status, ...filter }) =>
      collect({ limit, cursor }, (page) =>
        call(ADMIN.listImages, {
          query: {
            ...page,
            ...filter,
            status,
            since: since?.toISOString(),
            until: until?.toISOString(),
          },
        }),
      ),
    showImage: (imageId) => orUndefined(call(ADMIN.showImage, { params: { imageId } })),
    async retryImage(imageId): Promise<RetryOutcome> {
      const outcome = await orReason(call(ADMIN.retryImage, { params: { imageId } }))
      if (outcome === undefined) {
        return 'unknown image'
      }
      if (!('reason' in outcome)) {
        return 'queued now'
      }
      const { reason } = outcome
      return reason === 'ready' || reason === 'removed' || reason === 'failed' ? reason : 'being made'
    },
    async eraseImage(imageId) {
      const erased = await orUndefined(call(ADMIN.eraseImage, { params: { imageId } }))
      return erased && { done: erased.done, isPromptErased: erased.promptErased }
    },
  } satisfies Partial<Operations>
}

function ofRoutes(call: Call) {
  return {
    listRoutes: async () => (await call(ADMIN.listRoutes)).items,
    async resumeRoute(route) {
      const outcome = await orUndefined(call(ADMIN.resumeRoute, { params: { route } }))
      return outcome === undefined ? 'unknown route' : outcome.resumed ? 'resumed' : 'never used'
    },
  } satisfies Partial<Operations>
}
