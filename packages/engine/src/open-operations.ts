import {
  changeKey,
  changePlan,
  createPlan,
  deletePlan,
  findAccount,
  findKeySummary,
  findPlan,
  listAccounts,
  listKeys,
  listPlans,
  revokeKey,
  setAccountDisabled,
} from '@wombat/accounts'
import { type Database, inTransaction } from '@wombat/database'
import { listEntries, sumUsage, verifyLedger } from '@wombat/ledger'
import { listAudit, writeAudit } from './audit.ts'
import { cancelImage } from './cancel.ts'
import { bookCredits, issueKey, openAccount, retryImage, showAccount, withdrawKey } from './operate.ts'
import { eraseAccount, eraseImage } from './operate-erase.ts'
import { listImages, showImage } from './operate-images.ts'
import { removePlan, setAccount } from './operate-plans.ts'
import { listRoutes, resumeRoute } from './operate-routes.ts'
import { ofWebhooks } from './operate-webhooks.ts'
import type { AdminOperations } from './operations.ts'
import type { OperatorConfig, OperatorDesk } from './operator-desk.ts'
import { readNumber, readPosition, takePage, writePosition } from './pages.ts'

/** What an operator may do, on a database that is open. Every change is signed by the actor. */
export function openOperations(
  db: Database,
  { actor, config, publicUrl }: { actor: string; config: OperatorConfig; publicUrl: string },
): AdminOperations {
  const desk: OperatorDesk = {
    db,
    config,
    publicUrl,
    actor,
    change: (work, toEntry) =>
      inTransaction(db, async (tx) => {
        const outcome = await work(tx)
        const entry = toEntry(outcome)
        if (entry !== undefined) {
          await writeAudit(tx, actor, entry)
        }
        return outcome
      }),
  }
  return {
    ...ofAccounts(desk),
    ...ofKeys(desk),
    ...ofPlans(desk),
    ...ofCredits(desk),
    ...ofImages(desk),
    ...ofRoutes(desk),
    ...ofWebhooks(desk),
    note: (entry) => writeAudit(db, actor, entry),
  }
}

function ofAccounts({ db, actor, change }: OperatorDesk) {
  return {
    openAccount: (wish) =>
      change(
        async (tx) => ((await findPlan(tx, wish.plan)) === undefined ? 'unknown plan' : await openAccount(tx, wish)),
        (made) =>
          made === 'unknown plan'
            ? undefined
            : { action: 'account.create', subject: made.account.id, details: { ...wish, keyId: made.keyId } },
      ),
    listAccounts: ({ limit, cursor }) =>
      takePage(
        limit,
        (most) => listAccounts(db, most, readPosition(cursor)),
        ({ createdAt, id }) => writePosition({ at: createdAt, id }),
      ),
    showAccount: (accountId) => showAccount(db, accountId),
    changeAccount: async (accountId, wish) => {
      const outcome = await change(
        (tx) => setAccount(tx, accountId, wish),
        (done) => (done === 'set' ? { action: 'account.change', subject: accountId, details: { ...wish } } : undefined),
      )
      return outcome === 'unknown plan' ? outcome : await findAccount(db, accountId)
    },
    setAccountDisabled: (accountId, isDisabled) =>
      change(
        (tx) => setAccountDisabled(tx, accountId, isDisabled),
        (isDone) =>
          isDone ? { action: isDisabled ? 'account.disable' : 'account.enable', subject: accountId } : undefined,
      ),
    /** Many transactions: one entry before the first, so that a run that is broken off has left its trace, and one at the end. */
    async eraseAccount(accountId, wish) {
      const { isToBeDisabled } = wish
      const isThere = await change(
        async (tx) => (await findAccount(tx, accountId)) !== undefined,
        (found) =>
          found ? { action: 'account.erase', subject: accountId, details: { disable: isToBeDisabled } } : undefined,
      )
      const erased = isThere ? await eraseAccount(db, accountId, wish) : undefined
      if (erased !== undefined) {
        const details = { ...erased.counts, complete: erased.isComplete, disabled: erased.isDisabled }
        await writeAudit(db, actor, { action: 'account.erased', subject: accountId, details })
      }
      return erased
    },
  } satisfies Partial<AdminOperations>
}

function ofKeys({ db, change }: OperatorDesk) {
  return {
    issueKey: ({ accountId, name, expiresAt, rateLimitPerMinute, ...limits }) =>
      change(
        (tx) =>
          issueKey(tx, {
            accountId,
            name,
            expiresAt,
            rateLimitPerMinute: rateLimitPerMinute ?? undefined,
            limits,
          }),
        (made) =>
          made && {
            action: 'key.create',
            subject: made.keyId,
            details: { accountId, name, expiresAt, rateLimitPerMinute, ...limits },
          },
      ),
    listKeys: async (accountId) =>
      (await findAccount(db, accountId)) === undefined ? undefined : await listKeys(db, accountId),
    changeKey: async (keyId, wish) => {
      const isDone = await change(
        (tx) => changeKey(tx, keyId, wish),
        (done) => (done ? { action: 'key.change', subject: keyId, details: { ...wish } } : undefined),
      )
      return isDone ? await findKeySummary(db, keyId) : undefined
    },
    withdrawKey: async (keyId) => {
      const isNew = await change(
        (tx) => revokeKey(tx, keyId),
        (isDone) => (isDone ? { action: 'key.revoke', subject: keyId } : undefined),
      )
      return isNew || (await withdrawKey(db, keyId))
    },
  } satisfies Partial<AdminOperations>
}

function ofPlans({ db, change }: OperatorDesk) {
  return {
    listPlans: () => listPlans(db),
    findPlan: (name) => findPlan(db, name),
    createPlan: async (plan) => {
      const { name, ...details } = plan
      const isDone = await change(
        (tx) => createPlan(tx, plan),
        (done) => (done ? { action: 'plan.create', subject: name, details } : undefined),
      )
      return isDone ? await findPlan(db, name) : undefined
    },
    changePlan: async (name, wish) => {
      const isDone = await change(
        (tx) => changePlan(tx, name, wish),
        (done) => (done ? { action: 'plan.change', subject: name, details: { ...wish } } : undefined),
      )
      return isDone ? await findPlan(db, name) : undefined
    },
    // Why it was refused is looked up outside: an account that came at the same moment has broken the transaction.
    removePlan: (name) =>
      removePlan(db, name, () =>
        change(
          (tx) => deletePlan(tx, name),
          (isDone) => (isDone ? { action: 'plan.delete', subject: name } : undefined),
        ),
      ),
  } satisfies Partial<AdminOperations>
}

function ofCredits({ db, change }: OperatorDesk) {
  return {
    // A booking that was made before changes nothing, and leaves no second entry.
    bookCredits: (booking) =>
      change(
        (tx) => bookCredits(tx, booking),
        (outcome) => {
          const { accountId, kind, credits, note } = booking
          return outcome.status === 'booked' && !outcome.isRepeated
            ? {
                action: kind === 'grant' ? 'credit.grant' : 'credit.adjust',
                subject: accountId,
                details: { credits, ref: outcome.ref, note, balance: outcome.balance },
              }
            : undefined
        },
      ),
    listEntries: (accountId, { limit, cursor }) =>
      takePage(
        limit,
        (most) => listEntries(db, accountId, most, readNumber(cursor)),
        ({ id }) => id,
      ),
    verifyLedger: () => verifyLedger(db),
    sumUsage: (filter) => sumUsage(db, filter),
    listAudit: ({ cursor, limit, ...filter }) =>
      takePage(
        limit,
        (most) => listAudit(db, { ...filter, limit: most, before: readNumber(cursor) }),
        ({ id }) => id,
      ),
  } satisfies Partial<AdminOperations>
}

function ofImages({ db, config, change }: OperatorDesk) {
  return {
    listImages: ({ cursor, limit, ...filter }) =>
      takePage(
        limit,
        (most) => listImages(db, { ...filter, limit: most, after: readPosition(cursor) }),
        ({ createdAt, imageId }) => writePosition({ at: createdAt, id: imageId }),
      ),
    showImage: (imageId) => showImage(db, config, imageId),
    retryImage: (imageId) =>
      change(
        (tx) => retryImage(tx, imageId),
        (outcome) => (outcome === 'queued now' ? { action: 'image.retry', subject: imageId } : undefined),
      ),
    cancelImage: (imageId) =>
      change(
        (tx) => cancelImage(tx, imageId),
        (outcome) => (outcome === 'cancelled' ? { action: 'image.cancel', subject: imageId } : undefined),
      ),
    eraseImage: (imageId) =>
      change(
        (tx) => eraseImage(tx, imageId),
        (erased) =>
          erased && {
            action: 'image.erase',
            subject: imageId,
            details: { done: erased.done, promptErased: erased.isPromptErased },
          },
      ),
  } satisfies Partial<AdminOperations>
}

function ofRoutes({ db, config, change }: OperatorDesk) {
  return {
    listRoutes: () => listRoutes(db, config),
    resumeRoute: (route) =>
      change(
        (tx) => resumeRoute(tx, config, route),
        (outcome) => (outcome === 'resumed' ? { action: 'route.resume', subject: route } : undefined),
      ),
  } satisfies Partial<AdminOperations>
}
