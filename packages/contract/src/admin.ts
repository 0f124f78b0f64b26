import { z } from 'zod'
import { MODELS, QUALITY_NAMES } from './catalogue.ts'
import { SIZE_NAMES } from './sizes.ts'

/*
 * What the admin API takes and answers. Bodies and queries are strict: a field that is not known is refused, since a
 * limit that was misspelt would be none.
 */

/** Text in JSON, a Date on both sides of it. */
const time = z.codec(z.iso.datetime({ offset: true }).meta({ pattern: undefined }), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
})

const LINE = /^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u

/** One line for people. */
function line(max: number, min = 1) {
  return z.string().trim().min(min).max(max).regex(LINE, 'must be one line')
}

/** Whatever its version: the database decides. */
const id = z.guid().meta({ format: 'uuid', pattern: undefined })
const imageId = z.string().regex(/^v2-[0-9a-z]{9}-[0-9a-z]{9}$/)
const credits = z.int()
const perMinute = z.int().min(1).max(1_000_000)
const planName = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/)
const count = z.int().min(0)
/** Sums over years may be larger than 32 bits. */
const sum = z.number()
const MOST_CREDITS = 1_000_000_000
const BUDGET = z.int().min(0).max(2_147_483_647)

/** One of a few words, as a text of the types that rows have. */
function oneOf(words: readonly string[]) {
  return z
    .string()
    .refine((text) => words.includes(text), `must be one of ${words.join(', ')}`)
    .meta({ enum: words })
}

const modelId = oneOf(MODELS.map((model) => model.id))
const qualityName = oneOf(QUALITY_NAMES)
const sizeName = oneOf(SIZE_NAMES)
const network = z
  .union(
    [z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()],
    'must be a network such as 10.0.0.0/8 or 2001:db8::/32, or an address',
  )
  .meta({
    anyOf: undefined,
    type: 'string',
    description: 'a network such as 10.0.0.0/8 or 2001:db8::/32, or an address',
  })

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().describe('The cursor of the next part; null: this was the last.'),
  })
}

const PAGE = {
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().min(1).max(200).optional().describe('The `next` of the answer before.'),
}

const since = time.optional().describe('Ordered from this moment on.')
const until = time.optional().describe('Ordered before this moment.')

export const pageQuery = z.strictObject(PAGE)
export const accountParams = z.strictObject({ accountId: id })
export const keyParams = z.strictObject({ keyId: id })
export const imageParams = z.strictObject({ imageId })
export const planParams = z.strictObject({ plan: planName })
export const routeParams = z.strictObject({ route: z.string().min(1).max(200) })

export const accountSchema = z
  .object({
    accountId: id,
    name: z.string(),
    plan: z.string(),
    balance: credits.describe('Credits.'),
    rateLimitPerMinute: perMinute.nullable().describe('POSTs of all its keys; null: no limit of its own.'),
    isBootstrap: z.boolean().describe('The one that the first start made.'),
    disabledAt: time.nullable(),
    createdAt: time,
  })
  .meta({ id: 'Account' })

export const accountInListSchema = accountSchema
  .extend({ keys: count.describe('How many keys are not revoked.') })
  .meta({ id: 'AccountInList' })

const keyLimits = {
  rateLimitPerMinute: perMinute.nullable().describe('POSTs; null: as its account or the server has it.'),
  dailyBudget: BUDGET.nullable().describe('Credits in a day of UTC; null: no limit.'),
  monthlyBudget: BUDGET.nullable().describe('Credits in a month of UTC; null: no limit.'),
  allowedModels: z.array(modelId).max(20).describe('Empty: all.'),
  allowedQualities: z.array(qualityName).max(20).describe('Empty: all.'),
  allowedSizes: z.array(sizeName).max(100).describe('As they are made, such as 1024x1024. Empty: all.'),
  allowedNetworks: z.array(network).max(100).describe('Where requests may come from. Empty: everywhere.'),
}

export const keySchema = z
  .object({
    keyId: id,
    accountId: id,
    name: z.string(),
    lastFour: z.string(),
    createdAt: time,
    expiresAt: time.nullable(),
    revokedAt: time.nullable(),
    ...keyLimits,
    // What a row has is shown whatever was known when it was written.
    allowedModels: z.array(z.string()),
    allowedQualities: z.array(z.string()),
    allowedSizes: z.array(z.string()),
    allowedNetworks: z.array(z.string()),
  })
  .meta({ id: 'ApiKey' })

export const accountWithKeysSchema = accountSchema.extend({ keys: z.array(keySchema) }).meta({ id: 'AccountWithKeys' })

export const newAccountSchema = accountSchema
  .extend({ keyId: id, apiKey: z.string().describe('Shown only here.') })
  .meta({ id: 'NewAccount' })

export const accountWishSchema = z.strictObject({
  name: line(100),
  plan: planName.default('basic'),
  credits: z.int().min(0).max(MOST_CREDITS).default(0),
  rateLimitPerMinute: perMinute.optional(),
})

export const accountChangeSchema = z.strictObject({
  name: line(100).optional(),
  plan: planName.optional(),
  rateLimitPerMinute: perMinute.nullish(),
})

export const eraseAccountSchema = z.strictObject({
  disable: z.boolean().default(false).describe('Disable it first, so that nothing is ordered meanwhile.'),
})

export const erasedAccountSchema = z.object({
  accountId: id,
  refunded: count.describe('Images that were still to be made: called off, and refunded.'),
  removed: count.describe('Images whose bytes are deleted.'),
  forgotten: count.describe('Images that had no bytes any more.'),
  complete: z.boolean().describe('False: its time was over; call again for the rest.'),
  disabled: z.boolean(),
})

const someKeyLimits = {
  rateLimitPerMinute: keyLimits.rateLimitPerMinute.exactOptional(),
  dailyBudget: keyLimits.dailyBudget.exactOptional(),
  monthlyBudget: keyLimits.monthlyBudget.exactOptional(),
  allowedModels: keyLimits.allowedModels.exactOptional(),
  allowedQualities: keyLimits.allowedQualities.exactOptional(),
  allowedSizes: keyLimits.allowedSizes.exactOptional(),
  allowedNetworks: keyLimits.allowedNetworks.exactOptional(),
}

export const keyWishSchema = z.strictObject({
  name: line(100, 0).default(''),
  expiresAt: time.exactOptional(),
  ...someKeyLimits,
})

export const newKeySchema = z.object({ keyId: id, apiKey: z.string().describe('Shown only here.') })

export const keyChangeSchema = z.strictObject({
  name: line(100, 0).exactOptional(),
  expiresAt: time.nullable().exactOptional(),
  ...someKeyLimits,
})

export const revokedKeySchema = z.object({ keyId: id, revoked: z.literal(true) })

const planLimits = {
  models: z.array(modelId).max(20).describe('Empty: all that its gates allow.'),
  rateLimitPerMinute: perMinute.nullable(),
  concurrency: z.int().min(1).max(100_000).nullable().describe('Images at once for one account.'),
  deadlineHours: z.number().positive().max(8760).nullable(),
  deleteAfterDays: z.number().min(0).max(36_500).nullable(),
}

export const planSchema = z
  .object({
    name: planName,
    isProfessional: z.boolean().describe('Passes the gates that ask for the Professional Plan.'),
    ...planLimits,
    models: z.array(z.string()),
    accounts: count.describe('How many are on it.'),
    createdAt: time,
  })
  .meta({ id: 'Plan' })

const somePlanLimits = {
  models: planLimits.models.exactOptional(),
  rateLimitPerMinute: planLimits.rateLimitPerMinute.exactOptional(),
  concurrency: planLimits.concurrency.exactOptional(),
  deadlineHours: planLimits.deadlineHours.exactOptional(),
  deleteAfterDays: planLimits.deleteAfterDays.exactOptional(),
}

export const planWishSchema = z.strictObject({ name: planName, isProfessional: z.boolean(), ...somePlanLimits })

export const planChangeSchema = z.strictObject({ isProfessional: z.boolean().exactOptional(), ...somePlanLimits })

export const deletedPlanSchema = z.object({ plan: planName, deleted: z.literal(true) })

const booking = {
  ref: line(200).optional().describe('Such as the number of an invoice: with the same one it is booked only once.'),
  note: line(500).optional(),
}

export const grantSchema = z.strictObject({ credits: z.int().min(1).max(MOST_CREDITS), ...booking })

export const adjustmentSchema = z.strictObject({
  credits: z
    .int()
    .min(-MOST_CREDITS)
    .max(MOST_CREDITS)
    .refine((value) => value !== 0, 'must not be 0'),
  ...booking,
})

export const bookedSchema = z
  .object({
    accountId: id,
    credits,
    balance: credits,
    ref: z.string(),
    repeated: z.boolean().describe('True: it was booked before, and nothing was changed.'),
  })
  .meta({ id: 'Booking' })

export const entrySchema = z
  .object({
    id: z.string(),
    at: time,
    kind: z.string().describe('grant, charge, refund or adjustment.'),
    amount: credits,
    balanceAfter: credits,
    ref: z.string(),
    note: z.string(),
  })
  .meta({ id: 'LedgerEntry' })

export const ledgerReportSchema = z.object({
  ok: z.boolean(),
  accounts: count,
  entries: count,
  images: count,
  credits: sum,
  faults: z.array(z.object({ rule: z.string(), subject: z.string(), detail: z.string() })),
})

export const auditQuery = z.strictObject({
  ...PAGE,
  actor: line(100).optional(),
  subject: line(200)
    .optional()
    .describe('An id of an account, key, image, webhook or delivery; the name of a plan or route.'),
})

export const auditEntrySchema = z
  .object({
    id: z.string(),
    at: time,
    actor: z.string().describe('The name of the admin token, or cli: and the user of the command.'),
    action: z.string(),
    subject: z.string(),
    details: z.record(z.string(), z.unknown()).nullable(),
  })
  .meta({ id: 'AuditEntry' })

export { count, id, imageId, modelId, oneOf, PAGE, since, sum, time, until }
