import assert from 'node:assert/strict'
import { ProviderError } from '../provider.ts'
import { type DownloadLimits, download } from './download.ts'
import { createGate, type Gate } from './gate.ts'

const LIMITS: DownloadLimits = { tryMs: 2000, firstByteMs: 1000, maxBytes: 1000, maxRedirects: 3 }
const never = new AbortController().signal

/** Lets through to loopback, through names that only these tests know. Everything else is as in production. */
export function open(names: Record<string, readonly string[]> = {}, change: Partial<Gate> = {}): Gate {
  return {
    ...createGate([]),
    isOpenPort: () => true,
    isOpenAddress: (address) => address === '127.0.0.1' || address === '::1',
    resolve: async (hostname) => names[hostname] ?? [],
    ...change,
  }
}

export function load(
  url: string,
  gate = open(),
  limits: Partial<DownloadLimits> = {},
  signal = never,
): Promise<Buffer> {
  return download(url, { gate, limits: { ...LIMITS, ...limits }, signal })
}

/** The class of the failure, and what its message says. */
export async function fails(loading: Promise<unknown>, failure: string, message: RegExp): Promise<void> {
  await assert.rejects(loading, (error) => {
    assert.ok(error instanceof ProviderError, String(error))
    assert.equal(error.failure, failure, error.message)
    assert.match(error.message, message)
    return true
  })
}
