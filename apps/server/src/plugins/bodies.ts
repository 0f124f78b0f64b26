import { isUtf8 } from 'node:buffer'
import { ApiError } from '@wombat/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/**
 * Bodies reach the route as text: a limit or a wrong type is answered before the key is looked at, broken JSON after
 * it. JSON without a Content-Type is taken, as the hosted server does.
 */
export function registerBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addHook('onRequest', async (request) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      throw new ApiError('unsupported_media_type', 'Send the body without Content-Encoding.')
    }
  })
  const options = { parseAs: 'buffer' as const }
  app.addContentTypeParser('*', options, toText)
}

const JSON_TYPE = /^\s*application\/([\w.+-]+\+)?json\s*(;|$)/i

function toText(request: FastifyRequest, body: Buffer, done: (error: Error | null, text?: string) => void): void {
  const type = request.headers['content-type']
  if (type !== undefined && type !== '' && !JSON_TYPE.test(type)) {
    done(new ApiError('unsupported_media_type', 'Send the body as JSON, with the header "Content-Type: application/json".'))
    return
  }
  if (!isUtf8(body)) {
    done(new ApiError('invalid_json', 'The body must be JSON in UTF-8.'))
    return
  }
  const text = body.toString('utf8')
  done(null, text.startsWith('\ufeff') ? text.slice(1) : text)
}

/** The value of a JSON body. Of a key that comes twice the last one counts, as JSON.parse has it. */
export function parseJson(text: unknown): unknown {
  if (typeof text !== 'string' || text.trim() === '') {
    throw new ApiError('invalid_json', 'The body is empty: send a JSON object with at least "prompt".')
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ApiError('invalid_json', 'The body is not valid JSON.', { cause: error })
  }
}
