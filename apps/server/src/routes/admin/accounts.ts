import { ADMIN, ApiError } from '@wombat/contract'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, found, notFound, serve } from './serve.ts'
import { toAccount } from './shapes.ts'

/** What one call takes at most to erase an account: a proxy in front must not cut it off. */
const ERASE_MS = 10_000

export function registerAccounts(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.listAccounts, async ({ query, operations }) => {
    const { items, next } = await operations.listAccounts(query)
    return { items: items.map((account) => ({ ...toAccount(account), keys: account.keys })), next }
  })

  serve(app, parts, ADMIN.createAccount, async ({ body, operations }) => {
    const made = await operations.openAccount(body)
    if (made === 'unknown plan') {
      throw unknownPlan(body.plan)
    }
    const { account, keyId, apiKey } = made
    return { ...toAccount(account), keyId, apiKey }
  })

  serve(app, parts, ADMIN.showAccount, async ({ params: { accountId }, operations }) => {
    const shown = found(await operations.showAccount(accountId), 'account', accountId)
    const keys = found(await operations.listKeys(accountId), 'account', accountId)
    return { ...toAccount(shown.account), keys }
  })

  serve(app, parts, ADMIN.changeAccount, async ({ params: { accountId }, body, operations }) => {
    const changed = found(await operations.changeAccount(accountId, body), 'account', accountId)
    if (changed === 'unknown plan') {
      throw unknownPlan(body.plan ?? '')
    }
    return toAccount(changed)
  })

  for (const isDisabled of [true, false]) {
    const operation = isDisabled ? ADMIN.disableAccount : ADMIN.enableAccount
    serve(app, parts, operation, async ({ params: { accountId }, operations }) => {
      if (!(await operations.setAccountDisabled(accountId, isDisabled))) {
        throw notFound('account', accountId)
      }
      return toAccount(found(await operations.showAccount(accountId), 'account', accountId).account)
    })
  }

  serve(app, parts, ADMIN.eraseAccount, async ({ params: { accountId }, body, operations, gone }) => {
    const erased = await operations.eraseAccount(accountId, {
      isToBeDisabled: body.disable,
      stop: AbortSignal.any([gone, AbortSignal.timeout(ERASE_MS)]),
      onBatch: () => {},
    })
    const { counts, isComplete, isDisabled } = found(erased, 'account', accountId)
    return { accountId, ...counts, complete: isComplete, disabled: isDisabled }
  })
}

function unknownPlan(plan: string): ApiError {
  const expected = 'the name of a plan'
  return new ApiError('invalid_request', `plan must be ${expected}, and there is none called ${plan}.`, {
    details: { field: 'plan', expected },
  })
}
