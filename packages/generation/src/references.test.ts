import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { fakePng, startLoopbackServer } from './fetching/loopback-server.fixture.ts'
import { ProviderError } from './provider.ts'
import { fetchReferences } from './references.ts'

/** 127.0.0.1, 169.254.169.254 and their like, in all the ways that a URL can say them. */
const ATTACKS = [
  ...['127.0.0.1', '127.1', '127.0.1', '127.0.0.1.', '2130706433', '0x7f000001', '0x7f.1', '0x7F.0x0.0x0.0x1'],
  ...['017700000001', '0177.0.0.1', '0177.0.0.01', '127.0.0.0x1', '%31%32%37.0.0.1', '127。0。0。1', '１２７.0.0.1'],
  ...['①②⑦.⓪.⓪.①', '127.255.255.254', '0', '0.0.0.0', '00000000', '0x0', '10.0.0.1', '172.16.0.1', '192.168.0.1'],
  ...['169.254.169.254', '2852039166', '0xA9FEA9FE', '0xa9.0xfe.0xa9.0xfe', '0251.0376.0251.0376', '169.254.43518'],
  ...['100.100.100.200', '192.0.0.192', '168.63.129.16', '198.18.0.1', '224.0.0.1', '255.255.255.255', '4294967295'],
  ...[
    '[::]',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[0000::0001]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::FFFF:7F00:0001]',
  ],
  ...['[0:0:0:0:0:ffff:127.0.0.1]', '[::127.0.0.1]', '[::7f00:1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::127.0.0.1]'],
  ...['[64:ff9b::a9fe:a9fe]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2002:a9fe:a9fe::1]', '[2001:0:7f00:1::]'],
  ...['[2001:0::80ff:fffe]', '[fe80::1]', '[fec0::1]', '[fc00::1]', '[fd00:ec2::254]', '[fd20:ce::254]', '[ff02::1]'],
  ...[
    '[2001:db8::1]',
    '[3fff::1]',
    '[100::1]',
    '[4000::1]',
    '[::ffff:169.254.169.254]',
    '[::a9fe:a9fe]',
    '[fe80::1%25lo]',
  ],
  ...['[::1%25lo]', '[::ffff:10.0.0.1]', '[::ffff:c0a8:1]', '[fe80::5efe:127.0.0.1]', '[2001:10::1]', '[2001:20::1]'],
  ...[
    'localhost',
    'LocalHost',
    'localhost.',
    'a.localhost',
    'ｌｏｃａｌｈｏｓｔ',
    'metadata',
    'metadata.google.internal',
  ],
  ...['redis', 'postgres.internal', 'printer.local', 'kubernetes.default.svc.cluster.local', 'host.docker.internal'],
]

test('no attack URL makes a socket, with or without a port, path or exception for others', async () => {
  await using canary = await startLoopbackServer()
  await using canary6 = await startLoopbackServer(undefined, { address: '::1', port: canary.port })
  let sockets = 0
  // Should a check ever be missing, the test fails here, and nobody out there is called.
  const count = (message: unknown) => {
    sockets += 1
    assert.ok(typeof message === 'object' && message !== null && 'socket' in message)
    assert.ok(message.socket instanceof Socket)
    message.socket.destroy()
  }
  const { port } = canary
  const urls = ATTACKS.flatMap((host) => [
    `http://${host}/`,
    `https://${host}/latest/meta-data/?a=b`,
    `http://${host}:${port}/`,
    `http://example.com:80@${host}:${port}/`,
  ])
  urls.push(
    `http://127.0.0.1:${port}\\@example.com/`,
    `http://example.com\\@127.0.0.1:${port}/`,
    `ftp://127.0.0.1:${port}/`,
  )
  urls.push(`http:127.0.0.1:${port}`, `http:///127.0.0.1:${port}`, `http://127.0.0.1:${port}#@example.com/`)
  urls.push(
    'file:///etc/passwd',
    'data:image/png;base64,iVBORw0KGgo=',
    'blob:http://127.0.0.1/a',
    'gopher://127.0.0.1/',
  )
  subscribe('net.client.socket', count)
  try {
    for (const url of urls) {
      const allowHosts = ['files.intranet:8080', '127.0.0.1:1', `example.com:${port}`]
      await assert.rejects(
        fetchReferences([url], { allowHosts, signal: AbortSignal.timeout(5000) }),
        (error) => error instanceof ProviderError && error.failure === 'bad_reference',
        url,
      )
    }
  } finally {
    unsubscribe('net.client.socket', count)
  }
  assert.deepEqual([sockets, canary.connections, canary6.connections], [0, 0, 0])
})

test('references come from a host that is allowed, each up to 20 MiB', async () => {
  const limit = 20 * 1024 * 1024
  await using server = await startLoopbackServer((request, reply) => reply.end(fakePng(Number(request.url?.slice(1)))))
  const fetch = (...sizes: number[]) =>
    fetchReferences(
      sizes.map((size) => `${server.origin}/${size}`),
      { allowHosts: [`127.0.0.1:${server.port}`], signal: AbortSignal.timeout(20_000) },
    )
  const eight = 8 * 1000 * 1000
  const found = await fetch(eight, eight, eight, eight, limit)
  assert.deepEqual(
    found.map(({ bytes, contentType }) => [bytes.length, contentType]),
    [eight, eight, eight, eight, limit].map((size) => [size, 'image/png']),
  )
  await assert.rejects(fetch(64, limit + 1), { failure: 'bad_reference' })
})
