import type { AuthenticatedKey } from '@wombat/accounts'
import { ApiError, formatSize, type GenerationOrder } from '@wombat/contract'
import type { SpentBudget } from '@wombat/ledger'

/*
 * What a plan and a key forbid, as answers: all of them 403, in the order plan, key, and in the transaction budget.
 */

/** Throws ApiError('address_not_allowed') for a client outside the networks that its key may be used from. */
export function assertAddressAllowed(key: AuthenticatedKey, address: string): void {
  if (key.networks?.has(address) === false) {
    throw new ApiError('address_not_allowed', `This API key may not be used from the address ${address}.`, {
      details: { address },
    })
  }
}

/** Throws ApiError('plan_required') for what the account's plan does not have. */
export function assertInPlan(key: AuthenticatedKey, order: GenerationOrder, isSimulated: boolean): void {
  const { name, isProfessional, models } = key.plan
  if ((order.requiredPlan === 'professional' && !isProfessional) || isSimulated) {
    const words = isProfessional || name === 'basic' ? 'Basic Plan' : `plan ${name}`
    throw new ApiError(
      'plan_required',
      `${order.model} at quality ${order.quality} needs the Professional Plan. On the ${words} you can use gpt-image-2 at quality fast, and standard.`,
      { details: { requiredPlan: 'professional', plan: isProfessional ? 'basic' : name } },
    )
  }
  if (models.length > 0 && !models.includes(order.model)) {
    throw new ApiError(
      'plan_required',
      `The plan ${name} does not have the model ${order.model}. It has ${models.join(', ')}.`,
      { details: { plan: name, model: order.model, models } },
    )
  }
}

/** Throws ApiError('key_not_allowed') for the first of model, quality and size that the key may not ask for. */
export function assertKeyAllows(key: AuthenticatedKey, order: GenerationOrder): void {
  const { models, qualities, sizes } = key.allowed
  for (const { field, asked, allowed } of [
    { field: 'model', asked: order.model, allowed: models },
    { field: 'quality', asked: order.quality, allowed: qualities },
    { field: 'size', asked: formatSize(order.size), allowed: sizes },
  ]) {
    if (allowed.length > 0 && !allowed.includes(asked)) {
      throw new ApiError(
        'key_not_allowed',
        `This API key may not use the ${field} ${asked}. It may use ${allowed.join(', ')}.`,
        { details: { field, asked, allowed } },
      )
    }
  }
}

/** The answer to a price that goes beyond a budget of the key. */
export function budgetExceeded({ period, budget, spent, resetsAt }: SpentBudget, price: number): ApiError {
  const when = period === 'day' ? 'a day' : 'a month'
  return new ApiError(
    'budget_exceeded',
    `This request costs ${price} credits, and this API key has spent ${spent} of its ${budget} for ${when}.`,
    { details: { period, budget, spent, resetsAt } },
  )
}
