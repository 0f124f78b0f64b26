import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import fastify from 'fastify'
import { answerClientError } from './errors.ts'

test('who sends nonsense and never closes his half is answered and closed all the same', {
  timeout: 10_000,
}, async () => {
  const app = fastify({ clientErrorHandler: answerClientError })
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const accepted = new Promise<Socket>((resolve) => app.server.once('connection', resolve))
  const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true })
  try {
    let text = ''
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    socket.write('hello\r\n\r\n')
    await Promise.all([once(socket, 'end'), once(await accepted, 'close')])
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n(.+\r\n)+\r\n\{"error":"The request is not valid HTTP\."/)
  } finally {
    socket.destroy()
    await app.close()
  }
})
