import { ADMIN } from '@wombat/contract'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, conflict, found, notFound, serve } from './serve.ts'

export function registerImages(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.listImages, ({ query, operations }) => operations.listImages(query))

  serve(app, parts, ADMIN.showImage, async ({ params: { imageId }, operations }) =>
    found(await operations.showImage(imageId), 'image', imageId),
  )

  serve(app, parts, ADMIN.retryImage, async ({ params: { imageId }, operations }) => {
    const outcome = await operations.retryImage(imageId)
    switch (outcome) {
      case 'queued now':
        return { imageId, status: 'queued' as const }
      case 'unknown image':
        throw notFound('image', imageId)
      case 'being made':
      case 'ready':
      case 'removed':
      case 'failed':
        throw conflict(`The image does not wait for its next try: it is ${outcome}.`, { reason: outcome })
    }
  })

  serve(app, parts, ADMIN.cancelImage, async ({ params: { imageId }, operations }) => {
    const outcome = await operations.cancelImage(imageId)
    switch (outcome) {
      case 'cancelled':
      case 'cancelled before':
        return { imageId, status: 'cancelled' as const }
      case 'unknown image':
        throw notFound('image', imageId)
      case 'being made':
      case 'ready':
      case 'removed':
      case 'failed':
        throw conflict(`The image does not wait any more: it is ${outcome}.`, { reason: outcome })
    }
  })

  serve(app, parts, ADMIN.eraseImage, async ({ params: { imageId }, operations }) => {
    const { done, isPromptErased } = found(await operations.eraseImage(imageId), 'image', imageId)
    return { imageId, done, promptErased: isPromptErased }
  })
}
