import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Answer, cutOff, type Stage, send } from './emulator.ts'
import type { LeonardoError } from './leonardo-error.ts'
import {
  type BentFault,
  type BrokenFault,
  ERROR_FAULTS,
  isBentFault,
  isErrorFault,
  type LeonardoFault,
} from './leonardo-faults.ts'
import { isFields } from './leonardo-rules.ts'

/** Breaks the connection before the body is read, so that there is no job; false when the fault comes later. */
export function performEarlyFault(fault: LeonardoFault, request: IncomingMessage): boolean {
  if (fault !== 'reset_before_reading') {
    return false
  }
  request.socket.resetAndDestroy()
  return true
}

export function refuse({ status, headers = {}, error, code }: LeonardoError): Answer {
  return { status, headers, body: { error, path: '$', code } }
}

export async function performFault(fault: LeonardoFault, stage: Stage): Promise<void> {
  if (typeof fault === 'object' || isErrorFault(fault)) {
    stage.entry.pictures = 0
    send(stage.reply, refuse(typeof fault === 'object' ? fault : ERROR_FAULTS[fault]))
  } else if (isBentFault(fault)) {
    send(stage.reply, { ...stage.answer, body: bend(fault, stage.answer.body) })
  } else {
    performBroken(fault, stage)
  }
}

const HTML = '<!doctype html><html><head><title>Welcome</title></head><body><h1>Welcome to nginx!</h1></body></html>'
const JSON_TYPE = { 'content-type': 'application/json' }
const PICTURE_TYPE = { 'content-type': 'image/jpeg' }

function performBroken(fault: BrokenFault, { reply, answer, entry }: Stage): void {
  switch (fault) {
    case 'bad_gateway_html':
      entry.pictures = 0
      reply.writeHead(502, { 'content-type': 'text/html' }).end(HTML)
      return
    case 'html':
      reply.writeHead(200, { 'content-type': 'text/html' }).end(HTML)
      return
    case 'empty':
      reply.writeHead(200, JSON_TYPE).end()
      return
    case 'empty_object':
      send(reply, { status: 200, body: {} })
      return
    case 'bad_json':
      reply.writeHead(200, JSON_TYPE).end(JSON.stringify(answer.body).slice(0, -20))
      return
    case 'cut_off':
      cutOff(reply, Buffer.isBuffer(answer.body) ? answer.body.toString('latin1') : JSON.stringify(answer.body))
      return
    case 'hang_in_body':
      reply.writeHead(200, JSON_TYPE).write('{"gener')
      return
    case 'reset_before_reading':
    case 'reset_after_reading':
      reply.socket?.resetAndDestroy()
      return
    case 'hang':
      return
    case 'redirect':
      reply.writeHead(307, { location: '/elsewhere' }).end()
      return
    case 'error_500_cut_off':
    case 'error_401_cut_off':
    case 'error_429_cut_off':
    case 'error_400_cut_off':
      cutOffError(reply, Number(fault.slice('error_'.length, 'error_'.length + 3)))
      return
    case 'not_a_picture':
      send(reply, { status: 200, headers: PICTURE_TYPE, body: Buffer.from('noise instead of a picture '.repeat(40)) })
      return
    case 'corrupt_picture': {
      const picture = Buffer.isBuffer(answer.body) ? Buffer.from(answer.body) : Buffer.alloc(0)
      send(reply, { ...answer, body: picture.fill(0x5a, Math.floor(picture.length / 3)) })
      return
    }
  }
}

function cutOffError(reply: ServerResponse, status: number): void {
  reply.writeHead(status, { ...JSON_TYPE, 'content-length': 500 })
  reply.write('{"error":"int', () => reply.socket?.destroy())
}

/** The answer that would have been given, with something wrong in it. */
function bend(fault: BentFault, body: unknown): unknown {
  switch (fault) {
    case 'no_id':
      return change(body, { generationId: undefined })
    case 'odd_id':
      return change(body, { generationId: '../../v1/me' })
    case 'failed':
      return change(body, { status: 'FAILED', generated_images: [] })
    case 'failed_for_content': {
      const prompt_moderations = [{ moderationClassification: ['NSFW'] }]
      return change(body, { status: 'FAILED', generated_images: [], prompt_moderations })
    }
    case 'missing':
      return { generations_by_pk: null }
    case 'odd_status':
      return change(body, { status: 'UPSCALING', generated_images: [] })
    case 'no_images':
      return change(body, { status: 'COMPLETE', generated_images: [] })
    case 'nsfw':
      return changeImages(body, { nsfw: true })
  }
}

/** Every answer of Leonardo is one object within another. */
function change(body: unknown, fields: Readonly<Record<string, unknown>>): unknown {
  const outer = isFields(body) ? body : {}
  return Object.fromEntries(Object.entries(outer).map(([name, inner]) => [name, { ...Object(inner), ...fields }]))
}

function changeImages(body: unknown, fields: Readonly<Record<string, unknown>>): unknown {
  const generation = isFields(body) ? body.generations_by_pk : undefined
  const images = isFields(generation) && Array.isArray(generation.generated_images) ? generation.generated_images : []
  return change(body, { generated_images: images.map((image: unknown) => ({ ...Object(image), ...fields })) })
}
