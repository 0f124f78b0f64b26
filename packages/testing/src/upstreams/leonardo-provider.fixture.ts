import assert from 'node:assert/strict'
import {
  createLeonardoProvider,
  type ImageProvider,
  type LeonardoOptions,
  ProviderError,
  type ProviderRequest,
} from '@wombat/generation'
import { type LeonardoEmulator, startLeonardoEmulator } from './leonardo-emulator.ts'
import { PROVIDER_REQUEST } from './provider-request.ts'

export const LEONARDO_KEY = '6f1d3c1e-2b7a-4c59-9d3e-0a1b2c3d4e5f'
export const PROMPT = 'a red fox between birches'
export const LEONARDO_REQUEST: ProviderRequest = {
  ...PROVIDER_REQUEST,
  model: 'standard',
  quality: 'standard',
  prompt: PROMPT,
  width: 1152,
  height: 896,
}
/** What faults of orders, polls and links have in their paths. */
export const [ORDER, POLL, LINK] = ['/v2/generations', '/v1/generations/', '/cdn/']
export const never = new AbortController().signal

export interface LeonardoStand {
  readonly emulator: LeonardoEmulator
  readonly provider: ImageProvider
  open(change?: Partial<LeonardoOptions>): ImageProvider
  /** The job that a call ordered and did not see the end of. */
  orderJob(change?: Partial<ProviderRequest>): Promise<string>
  /** The error of a call, which shows neither key nor prompt and comes after one order at most. */
  fail(
    change?: Partial<ProviderRequest>,
    options?: { signal?: AbortSignal; from?: ImageProvider },
  ): Promise<ProviderError>
  mend(): void
}

/** A provider that is quick to ask and to give up, and its emulator. */
export async function openLeonardoStand(): Promise<LeonardoStand> {
  const emulator = await startLeonardoEmulator({ keys: [LEONARDO_KEY] })
  const open = (change: Partial<LeonardoOptions> = {}) =>
    createLeonardoProvider({
      apiKey: LEONARDO_KEY,
      baseUrl: emulator.url,
      timeoutMs: 5000,
      pollMs: 5,
      allowPrivateLinks: true,
      ...change,
    })
  const provider = open()
  return {
    emulator,
    provider,
    open,
    async orderJob(change = {}) {
      const kept: string[] = []
      const calledOff = new AbortController()
      const onJob = async (job: string) => {
        kept.push(job)
        calledOff.abort()
      }
      const call = provider.generate({ ...LEONARDO_REQUEST, ...change, onJob }, calledOff.signal)
      await assert.rejects(call, { failure: 'transient', isJobAlive: true })
      return kept[0] ?? assert.fail('no job')
    },
    async fail(change = {}, { signal = never, from = provider } = {}) {
      const sentBefore = emulator.requests.length
      const outcome = await from.generate({ ...LEONARDO_REQUEST, ...change }, signal).then(
        () => assert.fail('a picture came'),
        (error: unknown) => error,
      )
      assert.ok(outcome instanceof ProviderError, String(outcome))
      const orders = emulator.requests.slice(sentBefore).filter(({ method }) => method === 'POST')
      assert.ok(orders.length <= (change.job === undefined ? 1 : 0), 'one call is at most one order')
      assert.ok(outcome.message.length < 260, outcome.message)
      assert.ok(!outcome.message.includes(LEONARDO_KEY) && !outcome.message.includes(PROMPT), outcome.message)
      return outcome
    },
    mend() {
      emulator.setFault(undefined)
      emulator.setLatency(0)
      emulator.setJobMs(0)
    },
  }
}
