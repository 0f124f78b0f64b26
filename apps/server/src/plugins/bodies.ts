import { isUtf8 } from 'node:buffer'
import { ApiError } from '@wombat/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/**
 * Bodies reach the route as bytes: a limit or a wrong type is answered before the key is looked at, broken JSON after
 * it. JSON without a Content-Type is taken, as the hosted server does.
 */
export function registerBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addHook('onRequest', (request, _reply, done) => {
    const encoding = request.headers['content-encoding']
    const isTaken = encoding === undefined || encoding.toLowerCase() === 'identity'
    done(isTaken ? undefined : new ApiError('unsupported_media_type', 'Send the body without Content-Encoding.'))
  })
  app.addContentTypeParser('*', { parseAs: 'buffer' as const }, checkType)
}

const JSON_TYPE = /^\s*application\/([\w.+-]+\+)?json\s*(;|$)/i

function checkType(request: FastifyRequest, body: Buffer, done: (error: Error | null, body?: Buffer) => void): void {
  const type = request.headers['content-type']
  if (type === undefined || JSON_TYPE.test(type)) {
    done(null, body)
    return
  }
  done(
    new ApiError('unsupported_media_type', 'Send the body as JSON, with the header "Content-Type: application/json".'),
  )
}

/** The value of a JSON body. Of a key that comes twice the last one counts, as JSON.parse has it. */
export function parseJson(body: unknown): unknown {
  if (!Buffer.isBuffer(body) || body.length === 0) {
    throw new ApiError('invalid_json', 'The body is empty: send a JSON object with at least "prompt".')
  }
  if (!isUtf8(body)) {
    throw new ApiError('invalid_json', 'The body must be JSON in UTF-8.')
  }
  const text = body.toString('utf8')
  try {
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text)
  } catch (error) {
    throw new ApiError('invalid_json', 'The body is not valid JSON.', { cause: error })
  }
}
