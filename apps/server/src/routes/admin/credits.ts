import { ADMIN } from '@wombat/contract'
import type { AdminOperations, Booking } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, conflict, notFound, serve } from './serve.ts'

export function registerCredits(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.grantCredits, ({ params, body, operations }) =>
    book(operations, { ...params, kind: 'grant', credits: body.credits, ref: body.ref, note: body.note }),
  )
  serve(app, parts, ADMIN.adjustCredits, ({ params, body, operations }) =>
    book(operations, { ...params, kind: 'adjustment', credits: body.credits, ref: body.ref, note: body.note }),
  )
}

async function book(operations: AdminOperations, booking: Booking) {
  const { accountId, credits } = booking
  const outcome = await operations.bookCredits(booking)
  switch (outcome.status) {
    case 'booked':
      return { accountId, credits, balance: outcome.balance, ref: outcome.ref, repeated: outcome.isRepeated }
    case 'unknown account':
      throw notFound('account', accountId)
    case 'insufficient':
      throw conflict(`The account has ${outcome.balance} credits, and ${credits} would bring it below zero.`, {
        reason: outcome.status,
        balance: outcome.balance,
      })
    case 'ref used':
      throw conflict('This ref was used for another booking: choose another one.', { reason: outcome.status })
    case 'too large':
      throw conflict('The balance would be larger than 2147483647 credits: book fewer.', { reason: outcome.status })
  }
}
