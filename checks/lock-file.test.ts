import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { missingPackages } from '../tools/complete-lock.ts'

const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')

test('package-lock.json holds the packages of every platform; if not, run node tools/complete-lock.ts', () => {
  assert.deepEqual(Object.keys(missingPackages(JSON.parse(text))), [])
})

test('package-lock.json names no registry, so that any can be used', () => {
  assert.doesNotMatch(text, /"resolved": "https?:/)
})

test('a missing package is found, with the platform that its name tells', () => {
  const optionalDependencies = { '@a/b-linux-arm64-musl': '1.0.0', '@a/b-darwin-x64': '1.0.0' }
  const packages = { 'node_modules/@a/b': { dev: true, optionalDependencies }, 'node_modules/@a/b-darwin-x64': {} }
  assert.deepEqual(missingPackages({ packages }), {
    'node_modules/@a/b-linux-arm64-musl': {
      version: '1.0.0',
      dev: true,
      cpu: ['arm64'],
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    },
  })
})
