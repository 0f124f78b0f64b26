import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProviderError } from '../provider.ts'
import { createGate } from './gate.ts'
import { readTarget } from './target.ts'

const gate = createGate([])

function refuses(text: string, allowHosts: readonly string[] = [], base?: string): void {
  assert.throws(
    () => readTarget(text, createGate(allowHosts), base === undefined ? undefined : new URL(base)),
    (error) => error instanceof ProviderError && error.failure === 'bad_reference',
    text,
  )
}

function trusts(text: string, allowHosts: readonly string[]): void {
  assert.equal(readTarget(text, createGate(allowHosts)).isTrusted, true, text)
}

test('public names and addresses are taken on ports 80 and 443', () => {
  for (const text of [
    'http://example.com/a.png',
    'HTTPS://Example.COM:443/a.png?b=c#d',
    'http://example.com:443/',
    'https://example.com:80/',
    'http://example.com./',
    'http://8.8.8.8/',
    'http://134744072/',
    'https://[2606:4700:4700::1111]/',
    'http://[::ffff:8.8.8.8]/',
    'https://xn--bcher-kva.example/',
    'https://bücher.example/',
    'https://mylocalhost.com/',
    'https://local.example.com/',
    `https://example.com/${'a'.repeat(2028)}`,
  ]) {
    assert.equal(readTarget(text, gate).isTrusted, false, text)
  }
})

test('what is no plain http URL is refused', () => {
  for (const text of [
    '',
    ' ',
    'example.com/a.png',
    '//example.com/a.png',
    '/a.png',
    'http://',
    'https:///',
    'http://%',
  ]) {
    refuses(text)
  }
  for (const scheme of ['ftp', 'file', 'gopher', 'dict', 'ws', 'wss', 'blob', 'jar', 'ldap', 'unix', 'view-source']) {
    refuses(`${scheme}://example.com/a.png`)
  }
  refuses('data:image/png;base64,iVBORw0KGgo=')
  refuses('file:///etc/passwd')
  refuses('javascript:alert(1)')
  refuses('blob:http://example.com/a')
  refuses('about:blank')
  refuses(`https://example.com/${'a'.repeat(2029)}`)
})

test('credentials, backslashes and control characters are refused', () => {
  refuses('http://user@example.com/')
  refuses('http://user:pass@example.com/')
  refuses('http://:pass@example.com/')
  refuses('http://example.com\\@127.0.0.1/')
  refuses('http://example.com\\.evil.example/')
  refuses('http:\\\\example.com/')
  refuses('http://exa\tmple.com/')
  refuses('http://example.com/\r\nHost: internal')
  refuses('\0http://example.com/')
  refuses('http://example.com/\ud800')
})

test('other ports are refused', () => {
  for (const port of [0, 1, 21, 22, 25, 81, 442, 3000, 5432, 6379, 8080, 9200, 11211, 65535]) {
    refuses(`http://example.com:${port}/`)
    refuses(`https://8.8.8.8:${port}/`)
  }
})

test('names of this machine and of local networks are refused', () => {
  for (const name of [
    ...['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', 'localhost.localdomain', 'ip6-localhost', 'redis'],
    ...['postgres', 'metadata', 'metadata.google.internal', 'metadata.google.internal.', 'host.docker.internal'],
    ...['printer.local', 'nas.lan', 'router.home', 'files.corp', 'files.intranet', '1.0.0.127.in-addr.arpa', 'a.test'],
    ...[
      'kubernetes.default.svc.cluster.local',
      'a..b',
      '.example.com',
      'example.com..',
      'x.onion',
      'ｌｏｃａｌｈｏｓｔ',
    ],
  ]) {
    refuses(`http://${name}/`)
    refuses(`https://${name}:443/a.png`)
  }
})

test('an exception is for exactly its host and port', () => {
  const hosts = ['files.intranet:8080', '127.0.0.1:9000', '[::1]:9000', 'redis:80', 'vault:443']
  trusts('http://files.intranet:8080/a.png', hosts)
  trusts('https://FILES.intranet:8080/a.png', hosts)
  trusts('http://127.0.0.1:9000/', hosts)
  trusts('http://2130706433:9000/', hosts)
  trusts('http://[0:0::1]:9000/', hosts)
  trusts('http://redis/', hosts)
  trusts('https://vault/', hosts)
  for (const text of [
    'http://files.intranet/',
    'http://files.intranet:80/',
    'http://files.intranet:80808/',
    'http://files.intranet.:8080/',
    'http://a.files.intranet:8080/',
    'http://files.intranet.evil.example:8080/',
    'http://files.intranet:8080.evil.example/',
    'http://files.intranet:8080@evil.example:9000/',
    'http://evil.example:9000/files.intranet:8080',
    'http://127.0.0.2:9000/',
    'http://[::ffff:127.0.0.1]:9000/',
    'https://redis/',
    'http://vault/',
  ]) {
    refuses(text, hosts)
  }
  refuses('http://user@files.intranet:8080/', hosts)
  refuses('ftp://files.intranet:8080/', hosts)
})

test('an exception is read as a URL reads it, and one that is no host allows nothing', () => {
  trusts('http://[::1]:8080/', ['[0:0:0:0:0:0:0:1]:8080'])
  trusts('http://127.0.0.1:80/', ['127.1:080'])
  for (const entry of ['127.0.0.1:99999', '', '*:9000', '[:9000', ':9000']) {
    refuses('http://127.0.0.1:9000/', [entry])
  }
})

test('a redirect is read against its page and checked like a URL', () => {
  const page = new URL('https://example.com/a/b.png')
  assert.equal(readTarget('../c.png', gate, page).url.href, 'https://example.com/c.png')
  assert.equal(readTarget('//cdn.example/c.png', gate, page).url.href, 'https://cdn.example/c.png')
  for (const text of ['//127.0.0.1/', '//localhost/', 'http://[::1]/', '///10.0.0.1', '//u@example.com/', 'data:,a']) {
    refuses(text, [], page.href)
  }
})
