import assert from 'node:assert/strict'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { test } from 'node:test'
import { ProviderError } from '../provider.ts'
import { createGate } from './gate.ts'
import { createVettedLookup } from './vetted-lookup.ts'

/** What a socket would be told, if the name servers said this. */
function lookUp(
  addresses: readonly string[],
  options: LookupOptions = { all: true },
): Promise<string | LookupAddress[]> {
  const lookup = createVettedLookup({ ...createGate([]), resolve: async () => addresses })
  return new Promise((resolve, reject) => {
    lookup('a.example', options, (error, address) => (error === null ? resolve(address) : reject(error)))
  })
}

async function refuses(addresses: readonly string[], options?: LookupOptions): Promise<void> {
  await assert.rejects(
    lookUp(addresses, options),
    (error) => error instanceof ProviderError && error.failure === 'bad_reference',
    addresses.join(),
  )
}

test('public addresses are answered as they were resolved', async () => {
  assert.deepEqual(await lookUp(['8.8.8.8', '2606:4700::1']), [
    { address: '8.8.8.8', family: 4 },
    { address: '2606:4700::1', family: 6 },
  ])
  assert.equal(await lookUp(['8.8.8.8', '2606:4700::1'], {}), '8.8.8.8')
})

test('one closed address among many closes the name, in any disguise', async () => {
  for (const address of [
    ...['127.0.0.1', '127.1.2.3', '0.0.0.0', '10.0.0.1', '169.254.169.254', '192.168.0.1', '100.100.100.200'],
    ...['::1', '::', '::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::'],
    ...['fd00:ec2::254', 'fe80::1', 'fe80::1%lo', 'ff02::1', 'localhost', ''],
  ]) {
    for (const addresses of [
      [address],
      ['8.8.8.8', address],
      [address, '2606:4700::1'],
      ['8.8.8.8', '8.8.4.4', address],
    ]) {
      await refuses(addresses)
      await refuses(addresses, {})
    }
  }
})

test('a name without an address is refused, and the error of the name servers is handed on', async () => {
  await refuses([])
  const broken = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
  const lookup = createVettedLookup({ ...createGate([]), resolve: () => Promise.reject(broken) })
  const { promise, resolve } = Promise.withResolvers<unknown>()
  lookup('a.example', { all: true }, resolve)
  assert.equal(await promise, broken)
})
