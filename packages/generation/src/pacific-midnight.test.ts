import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilPacificMidnightMs } from './pacific-midnight.ts'

describe('the time until midnight in California', () => {
  for (const [now, midnight, why] of [
    ['2026-11-22T10:00:00.000Z', '2026-11-23T08:00:00.000Z', 'in winter'],
    ['2026-07-01T10:00:00.000Z', '2026-07-02T07:00:00.000Z', 'in summer'],
    ['2026-07-01T03:00:00.000Z', '2026-07-01T07:00:00.000Z', 'in the evening, when London is a day ahead'],
    ['2026-12-31T20:00:00.000Z', '2027-01-01T08:00:00.000Z', 'on the last day of a year'],
    ['2028-02-28T20:00:00.000Z', '2028-02-29T08:00:00.000Z', 'before a leap day'],
    ['2026-03-08T09:30:00.000Z', '2026-03-09T07:00:00.000Z', 'before the clocks go forward, a day of 23 hours'],
    ['2026-03-07T20:00:00.000Z', '2026-03-08T08:00:00.000Z', 'on the day before that'],
    ['2026-11-01T07:30:00.000Z', '2026-11-02T08:00:00.000Z', 'before the clocks go back, a day of 25 hours'],
    ['2026-10-31T20:00:00.000Z', '2026-11-01T07:00:00.000Z', 'on the day before that'],
    ['2026-11-01T09:30:00.000Z', '2026-11-02T08:00:00.000Z', 'in the hour that comes twice'],
    ['2026-11-22T07:59:59.999Z', '2026-11-22T08:00:00.000Z', 'a moment before'],
    ['2026-11-22T08:00:00.000Z', '2026-11-23T08:00:00.000Z', 'at midnight itself'],
  ] as const) {
    it(`is right ${why}`, () => {
      const nowMs = Date.parse(now)
      assert.equal(new Date(nowMs + untilPacificMidnightMs(nowMs)).toISOString(), midnight)
    })
  }
})
