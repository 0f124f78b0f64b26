import { ApiError, parseTags, TAGS_HEADER, type Tags } from '@wombat/contract'
import type { FastifyRequest } from 'fastify'

/** The tags of a POST. Throws ApiError('invalid_request') for what are none. */
export function readTags({ headers }: FastifyRequest): Tags | undefined {
  const text = headers[TAGS_HEADER.toLowerCase()]
  const read = parseTags(Array.isArray(text) ? text.join(',') : (text ?? ''))
  if ('expected' in read) {
    throw new ApiError('invalid_request', `The header ${TAGS_HEADER} takes ${read.expected}.`, {
      details: { field: TAGS_HEADER, expected: read.expected },
    })
  }
  return read.tags
}
