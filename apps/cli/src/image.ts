import type { AttemptLine, ImageReport } from '@wombat/engine'
import { type Command, Option } from 'commander'
import { id, integer, required } from './arguments.ts'
import { addGroup } from './command.ts'
import { type Consent, takeConsent } from './confirm.ts'
import { eraseOne } from './erase.ts'
import { CliError } from './errors.ts'
import { bytes, count, sheet, shorten, table, time } from './format.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import { inWords } from './route.ts'
import type { Outcome, Terminal } from './terminal.ts'

interface ListOptions extends ServerOptions {
  readonly account?: string
  readonly status?: string
  readonly limit: number
}

export function addImageCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'image', 'what was asked for, and what became of it')

  addOperatorCommand(group, 'list', 'the newest images')
    .option('--account <id>', 'of this account only', id)
    .addOption(
      new Option('--status <status>', 'in this state only').choices([
        'queued',
        'generating',
        'ready',
        'failed',
        'removed',
      ]),
    )
    .option('--limit <number>', 'how many at most', integer(1, 10_000), 20)
    .action((options: ListOptions) => operate(terminal, 'image list', options, (desk) => list(desk, options)))

  addOperatorCommand(group, 'show [image]', 'one image with every call of a provider')
    .option('--image <id>', 'its id, file name or URL')
    .action(async (placed: string | undefined, options: ServerOptions & { image?: string }) => {
      const imageId = await takeImage(placed, options)
      await operate(terminal, 'image show', options, (desk) => show(desk, imageId))
    })

  addOperatorCommand(group, 'retry [image]', 'try a waiting image now instead of later')
    .option('--image <id>', 'its id, file name or URL')
    .action(async (placed: string | undefined, options: ServerOptions & { image?: string }) => {
      const imageId = await takeImage(placed, options)
      await operate(terminal, 'image retry', options, (desk) => retry(desk, imageId))
    })

  addOperatorCommand(group, 'cancel [image]', 'call off an image that waits, and give its credits back')
    .option('--image <id>', 'its id, file name or URL')
    .action(async (placed: string | undefined, options: ServerOptions & { image?: string }) => {
      const imageId = await takeImage(placed, options)
      await operate(terminal, 'image cancel', options, (desk) => cancel(desk, imageId))
    })

  addOperatorCommand(group, 'erase [image]', 'delete an image for good; one that is still to be made is refunded')
    .option('--image <id>', 'its id, file name or URL')
    .option('--yes', 'do not ask')
    .action(async (placed: string | undefined, options: ServerOptions & { image?: string; yes?: true }) => {
      const imageId = await takeImage(placed, options)
      const consent = takeConsent(terminal, options)
      await operate(terminal, 'image erase', options, (desk) => erase(desk, imageId, consent))
    })
}

async function takeImage(placed: string | undefined, options: { image?: string }): Promise<string> {
  const text = required('image', placed, options.image)
  const { toImageId } = await import('@wombat/engine')
  const imageId = toImageId(text)
  if (imageId === undefined) {
    throw new CliError(
      'usage',
      `the image "${text.slice(0, 64)}" is no id: it takes one such as v2-k3v9qa0zt-81hd72nxe, or its URL`,
    )
  }
  return imageId
}

function noSuchImage(imageId: string): CliError {
  return new CliError('not_found', `there is no image ${imageId}: \`wombat image list\` shows the newest`)
}

async function list({ operations }: OperatorDesk, { account, status, limit }: ListOptions): Promise<Outcome> {
  const { items: images } = await operations.listImages({
    limit,
    ...(account === undefined ? {} : { accountId: account }),
    ...(status === undefined ? {} : { status }),
  })
  const rows = images.map((image) => [
    image.imageId,
    image.status,
    image.model,
    image.quality,
    `${image.width}x${image.height}`,
    time(image.createdAt),
    shorten(image.prompt, 60),
  ])
  return {
    json: { images },
    text:
      images.length === 0
        ? 'There is no such image.'
        : table(['IMAGE', 'STATUS', 'MODEL', 'QUALITY', 'SIZE', 'CREATED', 'PROMPT'], rows),
  }
}

async function show({ operations }: OperatorDesk, imageId: string): Promise<Outcome> {
  const image = await operations.showImage(imageId)
  if (image === undefined) {
    throw noSuchImage(imageId)
  }
  const attempts = image.attempts.length === 0 ? 'No provider was called yet.' : attemptTable(image.attempts)
  return { json: image, text: `${imageSheet(image)}\n\n${attempts}` }
}

function imageSheet(image: ImageReport): string {
  return sheet([
    ['image', image.imageId],
    ['status', image.status],
    ['failure', image.failureCode === null ? undefined : `${image.failureCode}: ${image.failureMessage ?? ''}`],
    ...image.waitsFor.map((one): [string, string] => [
      'waits for',
      `${one.route}, ${inWords(one)}${one.reason === null ? '' : `: ${shorten(one.reason, 80)}`}`,
    ]),
    ['next try', nextTry(image)],
    ['deadline', image.finishedAt === null ? time(image.deadlineAt) : undefined],
    ['account', image.accountId],
    ['model', `${image.model} ${image.quality}, ${image.width}x${image.height}, style ${image.style}`],
    // Empty when it was erased.
    ['prompt', image.prompt || undefined],
    ['final prompt', image.finalPrompt || undefined],
    ['alt', image.alt === '' ? undefined : image.alt],
    ['tags', tagsText(image.tags)],
    ['provider', image.provider ?? undefined],
    [
      'stored',
      image.objectKey === null
        ? undefined
        : `${image.objectKey}, ${image.contentType ?? ''}, ${bytes(image.sizeBytes ?? 0)}`,
    ],
    ['created', time(image.createdAt)],
    ['finished', image.finishedAt === null ? undefined : time(image.finishedAt)],
  ])
}

function nextTry({ nextTryAt }: ImageReport): string | undefined {
  if (nextTryAt === null) {
    return undefined
  }
  return nextTryAt.getTime() > Date.now() ? time(nextTryAt) : 'as soon as a call is free for it'
}

function tagsText(tags: ImageReport['tags']): string | undefined {
  const pairs = Object.entries(tags).map(([name, value]) => `${name}=${value}`)
  return pairs.length === 0 ? undefined : pairs.join(', ')
}

function attemptTable(attempts: readonly AttemptLine[]): string {
  const rows = attempts.map((attempt) => [
    time(attempt.startedAt),
    attempt.route ?? '',
    attempt.provider,
    attempt.outcome ?? 'under way',
    attempt.finishedAt === null
      ? ''
      : `${((attempt.finishedAt.getTime() - attempt.startedAt.getTime()) / 1000).toFixed(1)} s`,
    attempt.latencyMs === null ? '' : `${count(attempt.latencyMs)} ms`,
    attempt.costMicroUsd === null ? '' : `$${(attempt.costMicroUsd / 1_000_000).toFixed(4)}`,
    shorten([attempt.failure, attempt.message].filter((part) => part !== null).join(': '), 80),
  ])
  return table(['ATTEMPT', 'ROUTE', 'PROVIDER', 'OUTCOME', 'TOOK', 'LATENCY', 'COST', 'REASON'], rows, [4, 5, 6])
}

async function erase(desk: OperatorDesk, imageId: string, consent: Consent): Promise<Outcome> {
  const outcome = await eraseOne(desk, imageId, consent)
  if (outcome === undefined) {
    throw noSuchImage(imageId)
  }
  return outcome
}

async function retry({ operations }: OperatorDesk, imageId: string): Promise<Outcome> {
  const outcome = await operations.retryImage(imageId)
  switch (outcome) {
    case 'queued now':
      return {
        json: { imageId, status: 'queued' },
        text: `The image ${imageId} is due now; a running server takes it up at once.`,
      }
    case 'unknown image':
      throw noSuchImage(imageId)
    case 'being made':
      throw new CliError('refused', `the image ${imageId} is being made right now: wait for it`)
    case 'ready':
      throw new CliError('refused', `the image ${imageId} is ready: there is nothing to try again`)
    case 'removed':
      throw new CliError('refused', `the image ${imageId} was made and removed: request it anew`)
    case 'failed':
      throw new CliError(
        'refused',
        `the image ${imageId} failed for good and its credits were given back: request it anew`,
      )
  }
}

async function cancel({ operations }: OperatorDesk, imageId: string): Promise<Outcome> {
  const outcome = await operations.cancelImage(imageId)
  switch (outcome) {
    case 'cancelled':
    case 'cancelled before':
      return {
        json: { imageId, status: 'cancelled' },
        text: `The image ${imageId} is cancelled, and its credits were given back.`,
      }
    case 'unknown image':
      throw noSuchImage(imageId)
    case 'being made':
      throw new CliError('refused', `the image ${imageId} is being made right now: \`wombat image erase\` removes it`)
    case 'ready':
    case 'removed':
    case 'failed':
      throw new CliError('refused', `the image ${imageId} is done (${outcome}): there is nothing to cancel`)
  }
}
