import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { CONFIG_VARIABLES, readConfig } from '@wombat/engine'

const EXAMPLE = readFileSync(new URL('../.env.example', import.meta.url), 'utf8')

test('.env.example names every setting, in the order of the code, and no other', () => {
  assert.deepEqual(
    readExample(EXAMPLE).map(({ name }) => name),
    CONFIG_VARIABLES.map(({ name }) => name),
  )
})

for (const { name, value } of readExample(EXAMPLE)) {
  test(`.env.example shows the default of ${name}`, () => {
    // An empty value counts as unset, so it would pass for any default that can be written down.
    const isShown = value !== '' || !canBeWritten(CONFIG_VARIABLES.find((variable) => variable.name === name)?.default)
    assert.ok(isShown, `${name} has a default: write it behind the =`)
    assert.deepEqual(settings({ [name]: value }), settings({}))
  })
}

test('every line of .env.example is a comment, so that copying it changes nothing', () => {
  assert.deepEqual(
    EXAMPLE.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    [],
  )
})

test('a name that is missing, unknown, uncommented or shown with another value is found', () => {
  assert.deepEqual(readExample('# Text with A=1 in it.\n# PORT=3000\nHOST=x\n# URL=\n'), [
    { name: 'PORT', value: '3000' },
    { name: 'URL', value: '' },
  ])
  assert.notDeepEqual(settings({ PORT: '3001' }), settings({}))
})

function readExample(text: string): { name: string; value: string }[] {
  return [...text.matchAll(/^# ([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name = '', value = '']) => ({ name, value }))
}

function settings(env: Record<string, string>) {
  const { warnings: _, ...values } = readConfig(env)
  return values
}

/** Whether a default is more than "not set" or "none". */
function canBeWritten(value: unknown): boolean {
  const isEmpty = (Array.isArray(value) && value.length === 0) || (value instanceof Map && value.size === 0)
  return value !== undefined && !isEmpty
}
