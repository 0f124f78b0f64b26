import assert from 'node:assert/strict'
import { test } from 'node:test'
import { moment } from './arguments.ts'

test('a moment is a day or a time of UTC, or so long ago', () => {
  const times = {
    '2030-01-31': '2030-01-31T00:00:00.000Z',
    '2028-02-29': '2028-02-29T00:00:00.000Z',
    '2030-01-31T18:00': '2030-01-31T18:00:00.000Z',
    '2030-01-31 18:00:05.25': '2030-01-31T18:00:05.250Z',
    '2030-01-31T18:00Z': '2030-01-31T18:00:00.000Z',
    '2030-01-31T18:00+02:00': '2030-01-31T16:00:00.000Z',
  }
  for (const [text, iso] of Object.entries(times)) {
    assert.equal(moment(text).toJSON(), iso, text)
  }
  const before = Date.now()
  const ago = moment('7d').getTime()
  assert.ok(ago >= before - 7 * 86_400_000 && ago <= Date.now() - 7 * 86_400_000)
})

test('what is no moment is refused', () => {
  const wrong = [
    '',
    'now',
    '7',
    '7w',
    '-7d',
    '2030',
    '2030-1-1',
    '2030-02-30',
    '2030-13-01',
    '2030-01-31T25:00',
    '2030-01-31T',
    '2030-01-31Z',
    '+002030-01-31',
    ' 7d',
  ]
  for (const text of wrong) {
    assert.throws(() => moment(text), /takes a day of UTC/, text)
  }
})
