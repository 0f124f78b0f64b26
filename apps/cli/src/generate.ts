import path from 'node:path'
import { createClient, type GenerateAnswer, WombatError, type WombatErrorCode } from '@wombat/client'
import { awaitImages, type Result } from './await-images.ts'
import { CliError, type FailureCode } from './errors.ts'
import { bytes, count, credits } from './format.ts'
import { painter } from './paint.ts'
import { openProgress } from './progress.ts'
import { chooseDestination } from './save-image.ts'
import { openSession, type Session } from './session.ts'
import { readSettings } from './settings.ts'
import { supervise } from './supervise.ts'
import type { Outcome, Terminal } from './terminal.ts'

export interface GenerateOptions {
  readonly model?: string
  readonly size?: string
  readonly quality?: string
  readonly style?: string
  readonly number: number
  readonly alt?: true
  readonly original?: true
  readonly out?: string
  readonly wait: number
  readonly key?: string
  readonly account?: string
}

/** What closing the server of this process may take on top of the grace. */
const CLOSING_MS = 4_000

/** Makes images with the server that runs, or with one in this process, and saves them. */
export async function generate(terminal: Terminal, prompt: string, options: GenerateOptions): Promise<void> {
  const settings = await readSettings()
  for (const warning of settings.config.warnings) {
    terminal.warn(warning)
  }
  const destination = await chooseDestination(prompt, options.out)
  const graceMs = settings.config.SHUTDOWN_GRACE_SECONDS * 1000 + CLOSING_MS
  const { stoppedBy } = await supervise({ graceMs, onFault: (error) => terminal.fail(error) }, async (stop) => {
    using progress = openProgress({ isSilent: terminal.isJson })
    const startedMs = performance.now()
    await using session = await openSession(settings, {
      apiKey: options.key ?? settings.client.apiKey,
      accountId: options.account,
      stop,
    })
    const answer = await ask(session, { prompt, options, stop })
    const signal = AbortSignal.any([stop, AbortSignal.timeout(options.wait * 1000)])
    const results = await awaitImages(session, answer.images, {
      destination,
      progress,
      signal,
      isStopped: () => stop.aborted,
    })
    progress[Symbol.dispose]()
    if (!stop.aborted) {
      terminal.print(describe({ answer, results, session, seconds: (performance.now() - startedMs) / 1000 }))
    }
  })
  if (stoppedBy !== undefined && stoppedBy !== 'fault') {
    throw new CliError(
      'interrupted',
      `ended by ${stoppedBy}; what was asked for is made all the same while a server runs: \`wombat image list\``,
    )
  }
}

async function ask(
  session: Session,
  { prompt, options, stop }: { prompt: string; options: GenerateOptions; stop: AbortSignal },
): Promise<GenerateAnswer> {
  try {
    return await createClient(session).generate(
      {
        prompt,
        numImages: options.number,
        model: options.model,
        size: options.size,
        quality: options.quality,
        style: toStyle(options.style),
        generateAltText: options.alt,
        preserveOriginal: options.original,
      },
      { signal: stop, idempotencyKey: crypto.randomUUID() },
    )
  } catch (error) {
    throw error instanceof WombatError ? explain(error, session) : error
  }
}

/** The server says which there are, and refuses any other. */
function toStyle(text: string | undefined): Parameters<ReturnType<typeof createClient>['generate']>[0]['style'] {
  return text as ReturnType<typeof toStyle>
}

function explain(error: WombatError, session: Session): CliError {
  const message = error.message.replace(/\.$/, '')
  const [code, text] = FAILURES[error.code]?.(message, session) ?? [
    KINDS[error.status] ?? 'failed',
    error.status < 500 ? message : `${message} (request ${error.requestId ?? 'unknown'})`,
  ]
  return new CliError(code, text, { cause: error })
}

/** Where the server's own sentence does not say what to do here. */
const FAILURES: { readonly [code in WombatErrorCode]?: (message: string, session: Session) => [FailureCode, string] } =
  {
    unreachable: (_, { baseUrl }) => ['unreachable', `the server at ${baseUrl} does not answer: is it running?`],
    unauthorized: (_, { baseUrl, isKeyTemporary }) => [
      'refused',
      isKeyTemporary
        ? `the server at ${baseUrl} uses another database than this command: give one of its keys with --key`
        : `the server at ${baseUrl} does not know this key: \`wombat key create ACCOUNT\` makes another`,
    ],
    insufficient_credits: (message) => ['refused', `${message}: \`wombat credit grant ACCOUNT CREDITS\` gives more`],
  }

const KINDS: Readonly<Record<number, FailureCode>> = {
  400: 'usage',
  403: 'refused',
  429: 'refused',
  503: 'unreachable',
}

function describe(done: {
  answer: GenerateAnswer
  results: readonly Result[]
  session: Session
  seconds: number
}): Outcome {
  const { answer, results, session, seconds } = done
  const isWhole = results.every(({ status }) => status === 'saved')
  const { creditsCharged, creditsRemaining, provider } = answer
  const paint = painter(process.stdout)
  const lines = results.map((result) =>
    result.status === 'saved'
      ? `${paint('green', '✔')} ${shortPath(result.file)}  ${result.width}x${result.height}, ${bytes(result.sizeBytes)}${result.alt === '' ? '' : `  "${result.alt}"`}`
      : `${paint('red', '✖')} ${result.url}  ${result.message}`,
  )
  if (creditsCharged !== undefined && creditsRemaining !== undefined) {
    const by = provider === undefined ? '' : ` by ${provider}`
    const made = isWhole ? `; made${by} in ${seconds.toFixed(1)} s` : ''
    lines.push(`${credits(creditsCharged)} charged, ${count(creditsRemaining)} left${made}`)
  }
  if (session.firstKey !== undefined) {
    lines.push('', `This made the first account. Its API key, shown only now: ${session.firstKey}`)
  }
  return {
    json: {
      images: results,
      creditsCharged,
      creditsRemaining,
      provider,
      seconds: Math.round(seconds * 100) / 100,
      apiKey: session.firstKey,
    },
    text: lines.join('\n'),
    ...(isWhole ? {} : { failure: 'failed' }),
  }
}

/** Below the current directory as it would be typed, elsewhere in full. */
function shortPath(file: string): string {
  const relative = path.relative(process.cwd(), file)
  return relative.startsWith('..') ? file : relative
}
