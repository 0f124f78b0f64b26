import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Overview } from '@wombat/engine'
import { duration, topFrame } from './top-frame.ts'

const route = (name: string, state: Overview['routes'][number]['state'] = 'in_use'): Overview['routes'][number] => ({
  route: name,
  adapter: 'openai',
  models: ['gpt-image-2'],
  state,
  until: state === 'parked' ? new Date(Date.now() + 3_725_000) : null,
  failures: 0,
  busy: 3,
  concurrency: 8,
  reason: null,
  changedAt: null,
  lastCalls: 12,
  lastFailed: 1,
  lastLatencyMs: 8_250,
})

const overview = (routes: Overview['routes']): Overview => ({
  at: new Date(),
  models: ['gpt-image-2', 'ideogram-3.0', 'nano-banana-2', 'standard', 'premium'].map((model) => ({
    model,
    queued: 123_456,
    due: 1_000,
    oldestDueSeconds: 723,
    generating: 16,
    lastReady: 640,
  })),
  routes,
  lastMinute: {
    ordered: 1_234_567,
    ready: 1_234_567,
    failed: 1_234_567,
    creditsCharged: 12_345_678,
    creditsRefunded: 12_345_678,
    failures: Object.fromEntries(
      ['moderation', 'bad_reference', 'mistake', 'credentials', 'throttled', 'transient', 'no_picture', 'unknown'].map(
        (failure) => [failure, 12_345],
      ),
    ),
  },
})

test('a frame fits 80x24 with however many routes, and shows first the ones that somebody must mend', () => {
  const many = Array.from({ length: 40 }, (_, n) => route(`a-route-with-quite-a-long-name-${n}`))
  const lines = topFrame(overview([...many, route('sick', 'parked')]), { columns: 80, rows: 23 }).split('\n')
  assert.equal(lines.length, 23)
  assert.ok(
    lines.every((line) => line.length <= 80),
    lines.join('\n'),
  )
  const at = lines.findIndex((line) => line.startsWith('ROUTE'))
  assert.match(lines[at + 1] ?? '', /^sick +PARKED for 1 h 2 m +3 of 8 +12 +1 +8\.3 s$/)
  assert.match(lines.at(-1) ?? '', /^and 32 more: `wombat route list`$/)
})

test('a small screen gets what is on top, and a name can not steer the terminal', () => {
  const lines = topFrame(overview([route('\u001b[2Jx')]), { columns: 30, rows: 6 }).split('\n')
  assert.equal(lines.length, 6)
  assert.ok(lines.every((line) => line.length <= 30))
  assert.ok(!topFrame(overview([route('\u001b[2Jx')]), undefined).includes('\u001b'))
})

test('times have two units at most', () => {
  assert.deepEqual([0, 0.4, 59, 60, 61, 3_600, 3_725, 90_000, 172_800].map(duration), [
    '0 s',
    '0 s',
    '59 s',
    '1 m',
    '1 m 1 s',
    '1 h',
    '1 h 2 m',
    '1 d 1 h',
    '2 d',
  ])
})
