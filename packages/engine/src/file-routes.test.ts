import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { ConfigError, readConfig } from './config.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'wombat-routes-'))
after(() => rmSync(directory, { recursive: true }))

function read(yaml: string, env: Record<string, string> = {}) {
  const file = path.join(directory, 'wombat.yaml')
  writeFileSync(file, yaml)
  return readConfig({ ROUTES_FILE: file, ...env }).routes
}

function faultsOf(yaml: string, env: Record<string, string> = {}): string {
  try {
    read(yaml, env)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
  return assert.fail('the file was taken')
}

test('routes stand in the order in which they are tried, with keys from the environment', () => {
  const routes = read(
    `routes:
  - adapter: azure-openai
    baseUrl: https://my.openai.azure.com/
    model: pictures
    apiVersion: "2025-04-01-preview"
    key: \${AZURE_KEY}
    perMinute: 60
  - name: spare
    adapter: openai
    keys: ["\${FIRST}", "sk-second"]
    weight: 2
    concurrency: 3
  - adapter: koala
    models: [standard]
    key: k
    usdPerImage: 0.02
`,
    { AZURE_KEY: 'azure', FIRST: 'sk-first', OPENAI_API_KEY: 'unused', IDEOGRAM_API_KEY: 'used' },
  )
  assert.deepEqual(
    routes.map((route) => [route.name, route.adapter, route.models.join(), route.apiKey, route.priority]),
    [
      ['azure-openai', 'azure-openai', 'gpt-image-2', 'azure', 1],
      ['spare-1', 'openai', 'gpt-image-2', 'sk-first', 2],
      ['spare-2', 'openai', 'gpt-image-2', 'sk-second', 2],
      ['koala', 'koala', 'standard', 'k', 3],
      ['ideogram', 'ideogram', 'ideogram-3.0', 'used', 1],
    ],
  )
  const [azure, spare, , koala] = routes
  assert.deepEqual(
    [azure?.baseUrl, azure?.upstreamModel, azure?.perMinute],
    ['https://my.openai.azure.com', 'pictures', 60],
  )
  assert.deepEqual([spare?.weight, spare?.concurrency, koala?.usdPerImage], [2, 3, 0.02])
})

test('every fault is reported with its place and what is taken, and no key with it', () => {
  const message = faultsOf(
    `routes:
  - adapter: openia
  - adapter: openai
    key: \${NOT_THERE}
    concurrency: 0.5
    wieght: 3
  - adapter: azure-openai
    key: sk-secret
    models: [gpt-5]
  - adapter: ideogram
`,
  )
  for (const expected of [
    /routes\[0\]\.adapter takes one of openai, azure-openai/,
    /routes\[1\]\.wieght is no field of a route; it takes name, adapter/,
    /routes\[1\]\.concurrency takes a whole number from 1 to 1000/,
    /routes\[1\]\.key needs the variable NOT_THERE, which is not set/,
    /routes\[2\]\.models has "gpt-5"; it takes gpt-image-2, ideogram-3.0/,
    /routes\[2\]\.baseUrl is missing: azure-openai needs one/,
    /routes\[3\]\.key is missing: ideogram needs one, such as \$\{MY_KEY\}/,
  ]) {
    assert.match(message, expected)
  }
  assert.doesNotMatch(message, /sk-secret/)
})

test('two routes of one name, another shape, or no YAML are refused', () => {
  assert.match(
    faultsOf('routes:\n  - {adapter: openai, key: a}\n  - {adapter: openai, key: b}\n'),
    /are called "openai"/,
  )
  assert.match(faultsOf('route: []\n'), /takes one key, "routes"/)
  assert.match(faultsOf('routes: [}\n'), /is no YAML/)
})

test('a file that is named must exist', () => {
  assert.throws(() => readConfig({ ROUTES_FILE: path.join(directory, 'nowhere.yaml') }), /which does not exist/)
})
