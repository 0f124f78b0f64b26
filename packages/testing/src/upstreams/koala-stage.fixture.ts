import assert from 'node:assert/strict'
import { createKoalaProvider, type KoalaOptions, ProviderError, type ProviderRequest } from '@wombat/generation'
import { type KoalaEmulator, startKoalaEmulator } from './koala-emulator.ts'
import { PROVIDER_REQUEST } from './provider-request.ts'

export const KEY = '11111111-2222-4333-8444-555555555555'
export const never = new AbortController().signal

let images = 0

/** Of another image each time: the emulator knows orders that it has seen. */
export function newRequest(change: Partial<ProviderRequest> = {}): ProviderRequest {
  images += 1
  return { ...PROVIDER_REQUEST, imageId: `v2-image-${images}`, ...change }
}

/** Keeps jobs as the engine does; the last is the one to go on with. */
export function keepJobs(): { jobs: string[]; onJob(job: string): Promise<void> } {
  const jobs: string[] = []
  return {
    jobs,
    async onJob(job) {
      jobs.push(job)
    },
  }
}

/** An emulator and a provider that uses it. */
export async function startKoalaStage() {
  const emulator = await startKoalaEmulator({ keys: [KEY], credits: 100_000, softWaitMs: 20, keepAliveMs: 20 })
  const options: KoalaOptions & { baseUrl: string } = {
    apiKey: KEY,
    baseUrl: emulator.url,
    allowPrivateLinks: true,
    timeoutMs: 1500,
  }
  const provider = createKoalaProvider(options)
  const orders = () => emulator.requests.filter(({ method }) => method === 'POST')
  const paid = (): number => orders().reduce((sum, { pictures }) => sum + pictures, 0)
  return {
    emulator,
    options,
    provider,
    orders,
    /** The failure of a call, which is checked for what holds of every one. */
    async fail(request = newRequest(), { signal = never, from = provider } = {}): Promise<ProviderError> {
      const paidBefore = paid()
      const outcome: unknown = await from.generate(request, signal).catch((error: unknown) => error)
      assert.ok(outcome instanceof ProviderError, String(outcome))
      assert.ok(paid() - paidBefore <= 1, 'one call is at most one paid picture')
      assert.ok(outcome.message.length < 260, outcome.message)
      assert.ok(!outcome.message.includes(KEY) && !outcome.message.includes('a red fox'), outcome.message)
      return outcome
    },
  }
}

/** Nothing broken, slow or failing any more. */
export function mend(emulator: KoalaEmulator): void {
  emulator.setFault(undefined)
  emulator.setLatency(0)
  emulator.setDelivery('block')
  emulator.setReadyMs(0)
  emulator.setOutcome('picture')
}
