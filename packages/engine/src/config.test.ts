import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { CONFIG_VARIABLES, ConfigError, readConfig } from './config.ts'

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env)
  } catch (error) {
    assert(error instanceof ConfigError)
    return error.faults
  }
  return []
}

test('an empty environment gives the defaults that the documents name', () => {
  const config = readConfig({})
  assert.equal(config.PORT, 3000)
  assert.equal(config.HOST, '127.0.0.1')
  assert.equal(config.BOOTSTRAP_CREDITS, 1000)
  assert.equal(config.RATE_LIMIT_PER_MINUTE, 60)
  assert.deepEqual(config.SYNTHETIC_LATENCY_MS, { minMs: 300, maxMs: 900 })
  assert.equal(config.IMAGE_WAIT_MODE, 'keepalive')
  assert.equal(config.IMAGE_SOFT_WAIT_SECONDS, 25)
  assert.deepEqual(config.GENERATION_DEADLINE_HOURS, { basic: 24, professional: 24 })
  assert.equal(config.RETAIN_ORIGINALS_DAYS, 30)
  assert.deepEqual(config.warnings, [])
})

test('all faults are reported together, each with its name, what was given and what it takes', () => {
  const faults = faultsOf({
    PORT: 'http',
    SYNTHETIC_LATENCY_MS: '900-300',
    IMAGE_WAIT_MODE: 'push',
    PUBLIC_URL: 'images.example.com',
    BOOTSTRAP_CREDITS: '-1',
  })
  assert.deepEqual(faults, [
    'PORT is "http": it takes a whole number from 0 to 65535',
    'PUBLIC_URL is "images.example.com": it takes an http or https URL without user name, query or fragment, such as https://images.example.com',
    'BOOTSTRAP_CREDITS is "-1": it takes a whole number from 0 to 1000000000',
    'SYNTHETIC_LATENCY_MS is "900-300": it takes milliseconds: one number such as 500, or a range such as 300-900',
    'IMAGE_WAIT_MODE is "push": it takes one of keepalive, redirect, block',
  ])
})

test('proxies are addresses and networks, and never the whole world', () => {
  const { TRUST_PROXY } = readConfig({ TRUST_PROXY: '127.0.0.1, 10.0.0.0/8,2001:db8::/32,loopback' })
  assert.deepEqual(TRUST_PROXY, ['127.0.0.1', '10.0.0.0/8', '2001:db8::/32', 'loopback'])
  for (const wrong of ['0.0.0.0/0', '::/0', '10.0.0.0/33', '999.1.1.1', '1', 'true', '127.0.0.1;::1', 'nginx']) {
    assert.match(faultsOf({ TRUST_PROXY: wrong })[0] ?? '', /^TRUST_PROXY is ".*": it takes addresses or networks/)
  }
})

test('a secret that is wrong is never repeated', () => {
  const faults = faultsOf({ DATABASE_URL: 'mysql://root:hunter2@db/x', BOOTSTRAP_API_KEY: 'short secret' })
  assert.equal(faults.length, 2)
  assert(!faults.join().includes('hunter2') && !faults.join().includes('short secret'))
})

test('a secret may be given as a file, but not both ways', () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'wombat-config-')), 'key')
  writeFileSync(file, '11111111-1111-4111-8111-111111111111\n')
  assert.equal(readConfig({ BOOTSTRAP_API_KEY_FILE: file }).BOOTSTRAP_API_KEY, '11111111-1111-4111-8111-111111111111')
  assert.match(faultsOf({ BOOTSTRAP_API_KEY_FILE: file, BOOTSTRAP_API_KEY: 'x'.repeat(20) })[0] ?? '', /both set/)
  assert.match(faultsOf({ OPENAI_API_KEY_FILE: '/nowhere/at/all' })[0] ?? '', /can't be read/)
})

test('an empty value counts as unset', () => {
  assert.equal(readConfig({ PORT: '', OPENAI_API_KEY: ' ' }).PORT, 3000)
})

test('one number is a latency without a range', () => {
  assert.deepEqual(readConfig({ SYNTHETIC_LATENCY_MS: '0' }).SYNTHETIC_LATENCY_MS, { minMs: 0, maxMs: 0 })
})

test('synthetic pictures can be off only where a provider has a key', () => {
  assert.match(faultsOf({ SYNTHETIC: 'off' })[0] ?? '', /OPENAI_API_KEY/)
  assert.equal(readConfig({ SYNTHETIC: 'off', OPENAI_API_KEY: 'sk-test' }).SYNTHETIC, 'off')
})

test('names that look like ours and are not are warned about, with the likely one', () => {
  const { warnings } = readConfig({
    IMAGE_WAITMODE: 'redirect',
    RATE_LIMIT_PER_MINUTES: '5',
    WOMBAT_SPEED: 'high',
    PATH: '/bin',
    HOME: '/root',
    OPENAI_ORG_ID: 'org-1',
    WOMBAT_API_KEY: 'for the command',
  })
  assert.deepEqual(warnings, [
    'IMAGE_WAITMODE is no setting; did you mean IMAGE_WAIT_MODE?',
    'RATE_LIMIT_PER_MINUTES is no setting; did you mean RATE_LIMIT_PER_MINUTE?',
    'WOMBAT_SPEED is no setting of Wombat and has no effect',
  ])
})

test('the names that scripts outside the repository use are there', () => {
  const names = CONFIG_VARIABLES.map(({ name }) => name)
  for (const name of [
    'PORT HOST PUBLIC_URL DATA_DIR DATABASE_URL BOOTSTRAP_API_KEY BOOTSTRAP_CREDITS LOG_LEVEL RATE_LIMIT_PER_MINUTE',
    'SYNTHETIC SYNTHETIC_LATENCY_MS IMAGE_SOFT_WAIT_SECONDS IMAGE_WAIT_MODE IMAGE_MAX_WAIT_SECONDS',
    'ALT_TEXT_TIMEOUT_MS WAITERS_PER_ADDRESS MAX_WAITERS GENERATION_DEADLINE_HOURS RETAIN_ORIGINALS_DAYS',
    'OPENAI_API_KEY OPENAI_BASE_URL OPENAI_IMAGE_MODEL',
  ].flatMap((line) => line.split(' '))) {
    assert(names.includes(name), name)
  }
})

test('what a plan may have of its own takes one value for all plans, or one for each', () => {
  const { GENERATION_DEADLINE_HOURS, DELETE_IMAGES_DAYS } = readConfig({
    GENERATION_DEADLINE_HOURS: '6',
    DELETE_IMAGES_DAYS: 'basic=30',
  })
  assert.deepEqual(GENERATION_DEADLINE_HOURS, { basic: 6, professional: 6 })
  assert.deepEqual(DELETE_IMAGES_DAYS, { basic: 30, professional: undefined })
  assert.match(faultsOf({ GENERATION_DEADLINE_HOURS: 'gold=3' })[0] ?? '', /basic=30,professional=365/)
  assert.match(faultsOf({ DELETE_IMAGES_DAYS: 'basic=soon' })[0] ?? '', /takes never, or a number of days/)
})

test('each key of an upstream is a route, and keys of one upstream share the load', () => {
  const { routes } = readConfig({ IDEOGRAM_API_KEY: 'one', GEMINI_API_KEY: 'two, three', LEONARDO_API_KEY: 'four' })
  assert.deepEqual(
    routes.map(({ name, models, apiKey, priority }) => [name, models.join(' '), apiKey, priority]),
    [
      ['ideogram', 'ideogram-3.0', 'one', 1],
      ['gemini-1', 'nano-banana-2', 'two', 1],
      ['gemini-2', 'nano-banana-2', 'three', 1],
      ['leonardo', 'standard premium', 'four', 1],
    ],
  )
  assert.match(faultsOf({ GEMINI_API_KEY: 'two,, three' })[0] ?? '', /^GEMINI_API_KEY is given, but not shown here/)
})
