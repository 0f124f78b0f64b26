import { fileURLToPath } from 'node:url'
import { runProgram } from './programs.ts'

export interface Load {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  readonly headers?: Readonly<Record<string, string>>
  /** A script in Lua beside this file, with what it takes. */
  readonly script?: { readonly name: string; readonly args: readonly string[] }
}

export interface LoadResult {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 }

/** One thread of wrk, in C: it takes less of the two processors than what it measures. Throws when any answer failed. */
export async function runWrk(wrk: string, load: Load): Promise<LoadResult> {
  const headers = Object.entries(load.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const script = load.script === undefined ? [] : ['-s', fileURLToPath(new URL(load.script.name, import.meta.url))]
  const output = await runProgram(wrk, [
    ...['-t', '1', '-c', String(load.connections), '-d', `${load.seconds}s`, '--timeout', '10s', '--latency'],
    ...headers,
    ...script,
    load.url,
    ...(load.script === undefined ? [] : ['--', ...load.script.args]),
  ])
  const failed = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(output)
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1])
  if (failed !== null || !(perSecond > 0)) {
    throw new Error(`wrk got wrong answers from ${load.url}:\n${output}`)
  }
  return { perSecond, p50Ms: percentileMs(output, 50), p99Ms: percentileMs(output, 99) }
}

function percentileMs(output: string, percent: number): number {
  const [, value, unit = ''] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m)\\s*$`, 'm').exec(output) ?? []
  return Number(value) * (UNITS[unit] ?? Number.NaN)
}
