import { z } from 'zod'
import { ERROR_STATUS } from './errors.ts'
import { generationBodySchema } from './generation-body.ts'

/*
 * The public API in the words of OpenAPI. Its bodies are read by code that gives each fault a sentence of its own, so this
 * only describes them; the schemas of its answers are what the tests hold the server to.
 */

const IMAGE_ID = 'v2-k3v9qa0zt-81hd72nxe'

export interface PublicCall {
  readonly id: string
  readonly method: 'get' | 'head' | 'post' | 'delete'
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly isOpen: boolean
  readonly parameters?: readonly object[]
  readonly body?: z.ZodType
  readonly status: number
  /** Undefined: the answer is bytes, or has no body. */
  readonly answer?: z.ZodType
  readonly contentTypes?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  readonly errors: readonly number[]
  readonly example?: string
}

export const errorSchema = z
  .object({
    error: z.string().describe('The message once more: what clients of the hosted API show.'),
    message: z.string().describe('One sentence for a person, which says what to do.'),
    code: z.enum(Object.keys(ERROR_STATUS)),
    requestId: z.string(),
    details: z.record(z.string(), z.unknown()).optional().describe('Facts for programs.'),
    refunded: z.literal(true).optional().describe('Of an image that failed for good: its credits are back.'),
  })
  .meta({ id: 'Error' })

const generatedSchema = z
  .array(z.object({ url: z.string().describe('Valid at once; it answers when the image is there.'), alt: z.string() }))
  .min(1)
  .max(4)
  .meta({ id: 'GeneratedImages' })

/** Of `?dryRun=1`. */
const dryRunSchema = z
  .object({
    dryRun: z.literal(true),
    credits: z.int().min(0).describe('What it would cost: 0 for one that its Idempotency-Key would answer.'),
    creditsPerImage: z.int().min(0),
    balance: z.int().describe('Of the account, now.'),
    plan: z.string(),
    model: z.string(),
    size: z.string(),
    quality: z.string(),
    provider: z.string(),
    ignoredParams: z.array(z.string()),
  })
  .meta({ id: 'DryRun' })

export const imageStatusSchema = z
  .object({
    id: z.string(),
    status: z.enum(['queued', 'processing', 'finished', 'failed']),
    progress: z.number().min(0).max(1),
    queuePosition: z.int().min(0).nullable().describe('How many are ahead; null when it is not queued.'),
    etaSeconds: z.number().min(0).nullable(),
    alt: z.string(),
    width: z.int(),
    height: z.int(),
    contentType: z.enum(['image/jpeg', 'image/png']).nullable(),
    finalPrompt: z.string().nullable(),
    error: z.object({ code: z.enum(Object.keys(ERROR_STATUS)), message: z.string(), refunded: z.boolean() }).nullable(),
  })
  .meta({ id: 'ImageStatus' })

const healthSchema = z.object({ status: z.enum(['ok', 'unavailable']) }).loose()
const imageParameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'From the URL that the POST answered.',
  schema: { type: 'string', examples: [IMAGE_ID] },
}
const IMAGE_ERRORS = [404, 410, 416, 422, 429, 503]

export const PUBLIC_CALLS: readonly PublicCall[] = [
  {
    id: 'generateImages',
    method: 'post',
    path: '/api/image-generation/',
    tag: 'Images',
    summary: 'Orders one to four images and answers their URLs at once',
    isOpen: false,
    parameters: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        description: 'The same key with the same request within 24 hours gives the same URLs and charges nothing.',
        schema: { type: 'string', minLength: 1, maxLength: 255 },
      },
      {
        name: 'X-Wombat-Tags',
        in: 'header',
        description: 'Labels of your own, at most ten, such as team=acme, project=x1: for reports and webhooks.',
        schema: { type: 'string' },
      },
      {
        name: 'dryRun',
        in: 'query',
        description: 'With 1 or true the request is only checked and priced: nothing is made or charged.',
        schema: { type: 'string', enum: ['1', 'true'] },
      },
    ],
    body: generationBodySchema.meta({ id: 'GenerationBody' }),
    status: 200,
    answer: z.union([generatedSchema, dryRunSchema]),
    headers: {
      'Idempotent-Replayed': 'True when the answer is one of an earlier request.',
      'X-Credits-Charged': 'Of this request.',
      'X-Credits-Remaining': 'Of the account after it.',
      'X-Effective-Size': 'Which size was chosen.',
      'X-Effective-Quality': 'Which quality was chosen.',
      'X-Ignored-Params': 'Names of fields without effect.',
      'X-Provider': 'Who is asked first.',
    },
    errors: [400, 401, 402, 403, 409, 413, 415, 429, 503],
    example: JSON.stringify({ prompt: 'a wombat at dawn', size: '1024x1024' }),
  },
  {
    id: 'getImage',
    method: 'get',
    path: '/api/image/{id}.jpg',
    tag: 'Images',
    summary: 'The image; the answer waits until it is there',
    description:
      'Public. Also with .jpeg, .png, .webp or no extension, which do not change the type. Takes Range, If-None-Match and If-Modified-Since.',
    isOpen: true,
    parameters: [imageParameter],
    status: 200,
    contentTypes: ['image/jpeg', 'image/png'],
    errors: IMAGE_ERRORS,
  },
  {
    id: 'headImage',
    method: 'head',
    path: '/api/image/{id}.jpg',
    tag: 'Images',
    summary: 'Like GET, without the body',
    isOpen: true,
    parameters: [imageParameter],
    status: 200,
    errors: IMAGE_ERRORS,
  },
  {
    id: 'getImageStatus',
    method: 'get',
    path: '/api/image/{id}.json',
    tag: 'Images',
    summary: 'How an image is doing; never waits',
    isOpen: true,
    parameters: [imageParameter],
    status: 200,
    answer: imageStatusSchema,
    errors: [404, 429],
  },
  {
    id: 'cancelImage',
    method: 'delete',
    path: '/api/image/{id}',
    tag: 'Images',
    summary: 'Calls off an image that waits, and gives its credits back; for who ordered it',
    isOpen: false,
    parameters: [imageParameter],
    status: 200,
    answer: imageStatusSchema,
    errors: [401, 403, 404, 409, 429],
  },
  {
    id: 'isLive',
    method: 'get',
    path: '/health/live',
    tag: 'Health',
    summary: 'The process turns',
    isOpen: true,
    status: 200,
    answer: healthSchema,
    errors: [],
  },
  {
    id: 'isReady',
    method: 'get',
    path: '/health/ready',
    tag: 'Health',
    summary: 'It can do its work; 503 with the reasons when it can not',
    isOpen: true,
    status: 200,
    answer: healthSchema,
    errors: [],
  },
  {
    id: 'index',
    method: 'get',
    path: '/',
    tag: 'About',
    summary: 'What this server is',
    isOpen: true,
    status: 200,
    answer: z.object({ name: z.string() }).loose(),
    errors: [],
  },
  {
    id: 'getOpenApi',
    method: 'get',
    path: '/openapi.json',
    tag: 'About',
    summary: 'This document',
    isOpen: true,
    status: 200,
    answer: z.object({ openapi: z.string() }).loose(),
    errors: [],
  },
  {
    id: 'getDocs',
    method: 'get',
    path: '/docs',
    tag: 'About',
    summary: 'This document as a page',
    isOpen: true,
    status: 200,
    contentTypes: ['text/html'],
    errors: [],
  },
]

/** Only of a server whose METRICS are on. */
export const METRICS_CALLS: readonly PublicCall[] = [
  {
    id: 'getMetrics',
    method: 'get',
    path: '/metrics',
    tag: 'Health',
    summary: 'Metrics for Prometheus',
    description: 'For requests of this machine alone; with METRICS_TOKEN for who has it, as a bearer token.',
    isOpen: true,
    status: 200,
    contentTypes: ['text/plain'],
    errors: [401],
  },
]

const clockSchema = z.object({ now: z.string(), offset: z.string() }).meta({ id: 'DevClock' })

/** Only of a server in DEV_MODE. */
export const DEV_CALLS: readonly PublicCall[] = [
  {
    id: 'getClock',
    method: 'get',
    path: '/dev/clock',
    tag: 'Development',
    summary: 'How far time has been moved',
    isOpen: true,
    status: 200,
    answer: clockSchema,
    errors: [],
  },
  {
    id: 'advanceClock',
    method: 'post',
    path: '/dev/clock',
    tag: 'Development',
    summary: 'Makes time pass for deadlines, retention, idempotency and expiry',
    isOpen: true,
    body: z.object({ advance: z.string().describe('Such as 31d, 2h or 90s.') }),
    status: 200,
    answer: clockSchema,
    errors: [400],
    example: '{"advance":"31d"}',
  },
]
