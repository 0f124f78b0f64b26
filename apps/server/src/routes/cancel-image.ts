import { ApiError, parseImageName } from '@wombat/contract'
import { assertAddressAllowed, cancelImage, type Engine, imageStatus } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'
import { authenticate } from '../plugins/auth.ts'
import type { Limiters } from '../plugins/limiters.ts'

/** DELETE /api/image/:name, an addition of ours: calls off an image that waits, for who ordered it. */
export function registerCancelImage(app: FastifyInstance, parts: { engine: Engine; limiters: Limiters }): void {
  const { engine, limiters } = parts
  app.delete<{ Params: { name: string } }>('/api/image/:name', async (request, reply) => {
    const key = await authenticate(request, parts)
    assertAddressAllowed(key, request.ip)
    if (key.isAccountDisabled) {
      throw new ApiError('account_disabled', 'This account is disabled. Ask who runs this server.')
    }
    const imageId = parseImageName(request.params.name)?.id
    const outcome = imageId === undefined ? undefined : await cancelImage(engine.db, imageId, key.accountId)
    if (imageId === undefined || outcome === undefined || outcome === 'unknown image') {
      await limiters.notFound.countFailure(request.ip)
      throw new ApiError('not_found', 'This account has no image with this id.')
    }
    if (outcome === 'being made') {
      throw new ApiError('image_in_progress', 'The image is being made right now and can not be cancelled any more.')
    }
    if (outcome !== 'cancelled' && outcome !== 'cancelled before') {
      throw new ApiError('image_finished', 'The image is done, so there is nothing to cancel.', {
        details: { outcome: outcome === 'failed' ? 'failed' : 'finished' },
      })
    }
    engine.log.info({ requestId: request.id, accountId: key.accountId, keyId: key.keyId, imageId }, 'image cancelled')
    return reply
      .headers({ 'cache-control': 'no-store', 'access-control-allow-origin': '*', 'x-content-type-options': 'nosniff' })
      .send(await imageStatus(engine, imageId))
  })
}
