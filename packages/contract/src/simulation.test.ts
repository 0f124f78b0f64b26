import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERROR_STATUS } from './errors.ts'
import { formatDuration, formatSimulation, POST_ERRORS, parseDuration, parseSimulation } from './simulation.ts'

describe('a duration', () => {
  it('is a whole number with a unit', () => {
    const texts = ['500ms', '5s', '10m', '2h', '31d', '007s']
    assert.deepEqual(texts.map(parseDuration), [500, 5_000, 600_000, 7_200_000, 2_678_400_000, 7_000])
  })

  it('is never zero, negative, broken, bare, or longer than can be counted', () => {
    for (const text of [
      '',
      '0s',
      '-5s',
      '1.5s',
      '5',
      's',
      '5 s',
      '5S',
      '5sec',
      '1e3s',
      '١s',
      '999999999999d',
      '5s5s',
    ]) {
      assert.equal(parseDuration(text), undefined, text)
    }
  })

  it('is written in the largest unit that leaves no rest', () => {
    const durations = [0, 1, 999, 1_000, 90_000, 120_000, 7_200_000, 2_678_400_000, 2_678_400_001]
    assert.deepEqual(durations.map(formatDuration), [
      '0s',
      '1ms',
      '999ms',
      '1s',
      '90s',
      '2m',
      '2h',
      '31d',
      '2678400001ms',
    ])
  })
})

describe('a simulation', () => {
  it('is read word by word', () => {
    for (const [text, simulation] of [
      ['latency=5s', { latencyMs: 5_000 }],
      ['moderation', { moderation: '' }],
      ['moderation=self-harm', { moderation: 'self-harm' }],
      ['throttled=30s', { throttledMs: 30_000 }],
      ['outage=365d', { outageMs: 31_536_000_000 }],
      ['credentials=1m', { credentialsMs: 60_000 }],
      ['unknown', { unknown: 1 }],
      ['unknown=2', { unknown: 2 }],
      ['corrupt', { corrupt: 1 }],
      ['corrupt=20', { corrupt: 20 }],
      ['late-failure=40s', { lateFailureMs: 40_000 }],
      ['wrong-size', { wrongSize: true }],
      ['bad-reference', { badReference: true }],
      ['image=4, wrong-size', { image: 4, wrongSize: true }],
      ['error=insufficient_credits', { error: 'insufficient_credits' }],
    ] as const) {
      assert.deepEqual(parseSimulation(text), simulation, text)
    }
  })

  it('means the same in any order and with any spaces, and is then the same text', () => {
    const [first, second] = [
      parseSimulation('corrupt , latency=5000ms,outage=60s'),
      parseSimulation('outage=1m,corrupt=1,latency=5s'),
    ]
    assert.ok(!('expected' in first) && !('expected' in second))
    assert.equal(JSON.stringify(first), JSON.stringify(second))
    assert.equal(formatSimulation(first), 'latency=5s,outage=1m,corrupt=1')
  })

  it('is read back from what it is written as', () => {
    for (const text of [
      'latency=1500ms,outage=2m,credentials=3h,throttled=4d,unknown=5,corrupt=6,moderation=hate,image=1',
      'moderation',
      'wrong-size',
      'bad-reference',
      'late-failure=40s',
      'error=rate_limited',
    ]) {
      const simulation = parseSimulation(text)
      assert.ok(!('expected' in simulation), text)
      assert.equal(formatSimulation(simulation), text)
    }
  })

  it('that is none says what it takes', () => {
    for (const [text, expected] of [
      ['', /latency=5s, outage=10m, .*error=CODE/],
      ['latency=5s,', /latency=5s, outage=10m/],
      ['slow', /latency=5s, outage=10m/],
      ['Latency=5s', /latency=5s, outage=10m/],
      ['constructor', /latency=5s, outage=10m/],
      ['latency', /^latency as a duration .* at most 1h, such as latency=5s$/],
      ['latency=2h', /^latency as a duration/],
      ['latency=5', /^latency as a duration/],
      ['latency=5s=6s', /^latency as a duration/],
      ['outage=366d', /^outage as a duration .* at most 365d/],
      ['unknown=0', /^unknown as a whole number from 1 to 20/],
      ['corrupt=21', /^corrupt as a whole number/],
      ['image=5', /^image as a whole number from 1 to 4/],
      ['image', /^image as a whole number/],
      ['moderation=', /^moderation as a reason/],
      ['moderation=Not nice', /^moderation as a reason/],
      ['wrong-size=2', /^wrong-size without a value$/],
      ['latency=1s,latency=2s', /^latency only once$/],
      ['error', /^error as one of payload_too_large, /],
      ['error=not_found', /^error as one of/],
      ['error=unauthorized,latency=1s', /^error only by itself$/],
      ['moderation,late-failure=1s', /^only one of/],
      ['wrong-size,bad-reference', /^only one of/],
    ] as const) {
      const result = parseSimulation(text)
      assert.ok('expected' in result, text)
      assert.match(result.expected, expected, text)
    }
  })

  it('knows only errors that exist', () => {
    assert.ok(POST_ERRORS.every((code) => ERROR_STATUS[code] >= 400))
  })
})
