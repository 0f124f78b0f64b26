import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, readConfig } from './config.ts'
import { openStore } from './open-store.ts'

const BUCKET = { S3_BUCKET: 'wombat-images' }

function descriptionOf(env: Record<string, string>): string {
  return openStore(readConfig(env), '/var/lib/wombat').description
}

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.faults
  }
  return []
}

test('images are kept on disk, and in the bucket when one is named', () => {
  assert.equal(descriptionOf({}), 'disk /var/lib/wombat/blobs')
  assert.equal(descriptionOf(BUCKET), 'S3 wombat-images at AWS us-east-1')
  assert.equal(descriptionOf({ ...BUCKET, S3_REGION: 'eu-central-1' }), 'S3 wombat-images at AWS eu-central-1')
  const own = { ...BUCKET, S3_ENDPOINT: 'https://s3.example.com/', S3_PREFIX: 'production/wombat/' }
  assert.equal(descriptionOf(own), 'S3 wombat-images/production/wombat at https://s3.example.com')
  assert.deepEqual(readConfig(BUCKET).warnings, [])
})

test('settings of S3 without a bucket, and one half of a key, are refused', () => {
  const alone = { S3_ENDPOINT: 'https://s3.example.com', S3_FORCE_PATH_STYLE: 'false', S3_PREFIX: 'x' }
  assert.deepEqual(faultsOf(alone), [
    'S3_ENDPOINT, S3_FORCE_PATH_STYLE, S3_PREFIX without S3_BUCKET: name the bucket, or images are kept on disk',
  ])
  assert.deepEqual(faultsOf({ ...BUCKET, S3_ACCESS_KEY_ID: 'abc' }), [
    'S3_ACCESS_KEY_ID is set without S3_SECRET_ACCESS_KEY: give both, or none to use the credentials of the machine',
  ])
  assert.match(faultsOf({ ...BUCKET, S3_SECRET_ACCESS_KEY: 'abc' })[0] ?? '', /^S3_SECRET_ACCESS_KEY is set without/)
})

test('names that no bucket and no object has are refused', () => {
  for (const S3_BUCKET of ['a', 'a/b', 'http://x', '-ab']) {
    assert.match(faultsOf({ S3_BUCKET })[0] ?? '', /^S3_BUCKET is ".*": it takes the name of a bucket/)
  }
  for (const S3_PREFIX of ['/', '/x', 'a//b', '../x', 'a/./b', 'ä', 'a b']) {
    assert.match(faultsOf({ ...BUCKET, S3_PREFIX })[0] ?? '', /^S3_PREFIX is ".*": it takes a path within/)
  }
  const secret = faultsOf({ ...BUCKET, S3_ACCESS_KEY_ID: 'abc', S3_SECRET_ACCESS_KEY: 'not one word' })
  assert.equal(secret.length > 0 && !secret.join().includes('not one word'), true)
})
