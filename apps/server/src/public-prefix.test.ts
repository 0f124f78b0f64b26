import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicPrefix, withoutPrefix } from './public-prefix.ts'

test('the prefix is the path of PUBLIC_URL, unless our own addresses begin so', () => {
  assert.equal(publicPrefix({ PUBLIC_URL: undefined }), '')
  assert.equal(publicPrefix({ PUBLIC_URL: 'https://images.example.com' }), '')
  assert.equal(publicPrefix({ PUBLIC_URL: 'https://images.example.com/wombat' }), '/wombat')
  assert.equal(publicPrefix({ PUBLIC_URL: 'https://example.com/a/b%20c' }), '/a/b%20c')
  assert.equal(publicPrefix({ PUBLIC_URL: 'https://example.com/apis' }), '/apis')
  for (const path of ['api', 'api/v1', 'admin', 'docs', 'health', 'metrics']) {
    assert.equal(publicPrefix({ PUBLIC_URL: `https://example.com/${path}` }), '')
  }
})

test('it is cut off whole or not at all, and once', () => {
  const cut = (url: string) => withoutPrefix(url, '/wombat')
  assert.equal(cut('/wombat/api/image/x.jpg?a=/wombat/'), '/api/image/x.jpg?a=/wombat/')
  assert.equal(cut('/wombat'), '/')
  assert.equal(cut('/wombat?x'), '/?x')
  assert.equal(cut('/wombat/wombat/docs'), '/wombat/docs')
  for (const url of ['/api/image/x.jpg', '/wombats/docs', '/', '*', '/docs?/wombat/']) {
    assert.equal(cut(url), url)
  }
})
