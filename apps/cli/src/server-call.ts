import { WombatError } from '@wombat/client'
import type { Page, PageWish } from '@wombat/engine'
import { type AdminClient, createAdminClient } from './admin-client.ts'
import { CliError } from './errors.ts'

/** A part of a list that a server hands out at once. */
const MOST_A_PAGE = 1000

export type Call = AdminClient['call']

/** Calls of a distant server's admin API, whose faults are those of a command. */
export function openCall({ url, token, stop }: { url: string; token: string; stop: AbortSignal }): Call {
  const client = createAdminClient({ baseUrl: url, token })
  return async (operation, sending) => {
    try {
      return await client.call(operation, sending, { signal: stop })
    } catch (error) {
      throw explain(error, url)
    }
  }
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
export async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof WombatError && error.code === 'not_found') {
      return undefined
    }
    throw error
  }
}

export interface Reason {
  readonly reason: string
  readonly balance: number
  readonly accounts: number
  readonly most: number
}

/** What came of a conflict, or undefined for what is not there. */
export async function orReason<T>(answer: Promise<T>): Promise<T | Reason | undefined> {
  try {
    return await orUndefined(answer)
  } catch (error) {
    if (error instanceof WombatError && error.code === 'conflict') {
      const { reason, balance, accounts, most } = error.details ?? {}
      return {
        reason: String(reason),
        balance: Number(balance),
        accounts: Number(accounts),
        most: Number(most),
      }
    }
    throw error
  }
}

/** The server names the field that it refuses; that its text is a name was checked by the command. */
export async function orUnknownPlan<T>(answer: Promise<T>): Promise<T | 'unknown plan'> {
  try {
    return await answer
  } catch (error) {
    const cause = error instanceof CliError ? error.cause : undefined
    if (cause instanceof WombatError && cause.code === 'invalid_request' && cause.details?.field === 'plan') {
      return 'unknown plan'
    }
    throw error
  }
}

type Given<T> = { [Name in keyof T]: Exclude<T[Name], undefined> }

/** A change as the admin API takes it: what stays as it is is left out. */
export function withoutUndefined<T extends object>(change: T): Given<T> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Given<T>
}

/** As many parts as it takes. */
export async function collect<T>(
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
