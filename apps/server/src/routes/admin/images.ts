import { ADMIN, type ApiError } from '@wombat/contract'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, conflict, found, notFound, serve } from './serve.ts'

export function registerImages(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.listImages, ({ query, operations }) => operations.listImages(query))

  serve(app, parts, ADMIN.showImage, async ({ params: { imageId }, operations }) =>
    found(await operations.showImage(imageId), 'image', imageId),
  )

  serve(app, parts, ADMIN.retryImage, async ({ params: { imageId }, operations }) => {
    const outcome = await operations.retryImage(imageId)
    if (outcome === 'queued now') {
      return { imageId, status: 'queued' as const }
    }
    throw waitsNot(imageId, outcome, 'does not wait for its next try')
  })

  serve(app, parts, ADMIN.cancelImage, async ({ params: { imageId }, operations }) => {
    const outcome = await operations.cancelImage(imageId)
    if (outcome === 'cancelled' || outcome === 'cancelled before') {
      return { imageId, status: 'cancelled' as const }
    }
    throw waitsNot(imageId, outcome, 'does not wait any more')
  })

  serve(app, parts, ADMIN.eraseImage, async ({ params: { imageId }, operations }) => {
    const { done, isPromptErased } = found(await operations.eraseImage(imageId), 'image', imageId)
    return { imageId, done, promptErased: isPromptErased }
  })
}

type Otherwise = 'unknown image' | 'being made' | 'ready' | 'removed' | 'failed'

function waitsNot(imageId: string, state: Otherwise, why: string): ApiError {
  return state === 'unknown image'
    ? notFound('image', imageId)
    : conflict(`The image ${why}: it is ${state}.`, { reason: state })
}
