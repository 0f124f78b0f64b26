import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csv } from './csv.ts'

test('fields are quoted when they need it, and only then', () => {
  const rows = [['plain', 'with, comma', 'with "quotes"', 'two\nlines', 'two\r\nlines', '']]
  assert.equal(
    csv(['a', 'b', 'c', 'd', 'e', 'f'], rows),
    'a,b,c,d,e,f\nplain,"with, comma","with ""quotes""","two\nlines","two\r\nlines",',
  )
})

test('a spreadsheet finds no formula in it, and numbers stay numbers', () => {
  const dangerous = ['=1+1', '+1', '-a', '@SUM(A1)', '\t=1', '\r=1', '-', '-1+1', '=HYPERLINK("x","y")']
  assert.deepEqual(
    dangerous.map((text) => csv([text], [])),
    ["'=1+1", "'+1", "'-a", "'@SUM(A1)", "'\t=1", '"\'\r=1"', "'-", "'-1+1", '"\'=HYPERLINK(""x"",""y"")"'],
  )
  const harmless = ['-1', '-0.000001', '12', '12.5', 'a=1', "'quoted", '2026-01-31']
  assert.deepEqual(
    harmless.map((text) => csv([text], [])),
    harmless,
  )
})
