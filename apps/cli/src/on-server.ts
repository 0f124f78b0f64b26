import { ADMIN, type Answered } from '@wombat/contract'
import type {
  Account,
  CancelOutcome,
  CreditOutcome,
  ErasureCounts,
  Operations,
  PlanRemoval,
  RetryOutcome,
} from '@wombat/engine'
import { ofWebhooks } from './on-server-webhooks.ts'
import {
  type Call,
  collect,
  openCall,
  orReason,
  orUndefined,
  orUnknownPlan,
  type Reason,
  withoutUndefined,
} from './server-call.ts'

/** An operator's work, done by a distant server through its admin API. */
export function openServerOperations(server: { url: string; token: string; stop: AbortSignal }): Operations {
  const { stop } = server
  const call = openCall(server)
  return {
    ...ofAccounts(call, stop),
    ...ofKeys(call),
    ...ofPlans(call),
    ...ofCredits(call),
    ...ofImages(call),
    ...ofRoutes(call),
    ...ofWebhooks(call),
  }
}

function toAccount({ accountId, ...rest }: Answered<typeof ADMIN.changeAccount>): Account {
  return { id: accountId, ...rest }
}

function ofAccounts(call: Call, stop: AbortSignal) {
  return {
    async openAccount(wish) {
      const made = await orUnknownPlan(call(ADMIN.createAccount, { body: wish }))
      if (made === 'unknown plan') {
        return made
      }
      const { keyId, apiKey, ...account } = made
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
    async changeAccount(accountId, change) {
      const changed = await orUnknownPlan(
        orUndefined(call(ADMIN.changeAccount, { params: { accountId }, body: change })),
      )
      return changed === undefined || changed === 'unknown plan' ? changed : toAccount(changed)
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
  } satisfies Partial<Operations>
}

function ofKeys(call: Call) {
  return {
    issueKey: ({ accountId, expiresAt, ...wish }) =>
      orUndefined(
        call(ADMIN.createKey, {
          params: { accountId },
          body: { ...wish, ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }) },
        }),
      ),
    changeKey: (keyId, { expiresAt, ...change }) =>
      orUndefined(
        call(ADMIN.changeKey, {
          params: { keyId },
          body: {
            ...withoutUndefined(change),
            ...(expiresAt === undefined ? {} : { expiresAt: expiresAt?.toISOString() ?? null }),
          },
        }),
      ),
    withdrawKey: async (keyId) => (await orUndefined(call(ADMIN.revokeKey, { params: { keyId } }))) !== undefined,
  } satisfies Partial<Operations>
}

function ofPlans(call: Call) {
  return {
    listPlans: async () => (await call(ADMIN.listPlans)).items,
    findPlan: (plan) => orUndefined(call(ADMIN.showPlan, { params: { plan } })),
    async createPlan(plan) {
      const outcome = await orReason(call(ADMIN.createPlan, { body: plan }))
      return outcome === undefined || 'reason' in outcome ? undefined : outcome
    },
    changePlan: (plan, change) =>
      orUndefined(call(ADMIN.changePlan, { params: { plan }, body: withoutUndefined(change) })),
    async removePlan(plan): Promise<PlanRemoval> {
      const outcome = await orReason(call(ADMIN.deletePlan, { params: { plan } }))
      if (outcome === undefined) {
        return { status: 'unknown plan' }
      }
      if (!('reason' in outcome)) {
        return { status: 'deleted' }
      }
      return outcome.reason === 'in use' ? { status: 'in use', accounts: outcome.accounts } : { status: 'built in' }
    },
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

function toState({ reason }: Reason): 'ready' | 'removed' | 'failed' | 'being made' {
  return reason === 'ready' || reason === 'removed' || reason === 'failed' ? reason : 'being made'
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
      return toState(outcome)
    },
    async cancelImage(imageId): Promise<CancelOutcome> {
      const outcome = await orReason(call(ADMIN.cancelImage, { params: { imageId } }))
      if (outcome === undefined) {
        return 'unknown image'
      }
      return 'reason' in outcome ? toState(outcome) : 'cancelled'
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
