import type { IncomingMessage, ServerResponse } from 'node:http'
import type { createPictureMaker } from './emulated-picture.ts'
import { type Answer, type Stage, send } from './emulator.ts'
import type { IdeogramError } from './ideogram-error.ts'
import { IDEOGRAM_ERRORS, type IdeogramBrokenFault, type IdeogramFault, isIdeogramError } from './ideogram-faults.ts'

interface IdeogramStage extends Stage {
  readonly makePicture: ReturnType<typeof createPictureMaker>
  /** A link of this emulator to nothing, or to the picture of a true link at a time when it has expired. */
  readonly deadLink: () => string
  readonly expire: (link: string) => string
}

/** Breaks the connection before the body is read; false when the fault comes later. */
export function performEarlyIdeogramFault(fault: IdeogramFault, request: IncomingMessage): boolean {
  if (fault !== 'reset_before_reading') {
    return false
  }
  request.socket.resetAndDestroy()
  return true
}

export function toAnswer({ status, headers = {}, error }: IdeogramError): Answer {
  return { status, headers, body: error }
}

export async function performIdeogramFault(fault: IdeogramFault, stage: IdeogramStage): Promise<void> {
  if (typeof fault === 'object') {
    if ('link' in fault) {
      send(stage.reply, withPicture(stage.answer, { url: fault.link }))
      return
    }
    refuse(fault, stage)
    return
  }
  if (isIdeogramError(fault)) {
    refuse(IDEOGRAM_ERRORS[fault], stage)
    return
  }
  await performBroken(fault, stage)
}

function refuse(error: IdeogramError, { entry, reply }: IdeogramStage): void {
  entry.pictures = 0
  send(reply, toAnswer(error))
}

const HTML = '<!doctype html><html><head><title>Just a moment...</title></head><body><h1>One moment</h1></body></html>'

async function performBroken(fault: IdeogramBrokenFault, stage: IdeogramStage): Promise<void> {
  const { reply, answer, entry, makePicture } = stage
  switch (fault) {
    case 'bad_gateway_html':
      entry.pictures = 0
      reply.writeHead(502, { 'content-type': 'text/html' }).end(HTML)
      return
    case 'html':
      reply.writeHead(200, { 'content-type': 'text/html' }).end(HTML)
      return
    case 'empty':
      reply.writeHead(200, { 'content-type': contentType(answer) }).end()
      return
    case 'empty_object':
      send(reply, { status: 200, body: {} })
      return
    case 'no_picture':
      send(reply, { status: 200, body: { created: '2026-11-22T10:00:00+00:00', data: [] } })
      return
    case 'no_link':
      send(reply, withPicture(answer, { url: null }))
      return
    case 'unsafe_null':
      send(reply, withPicture(answer, { url: null, is_image_safe: false }))
      return
    case 'unsafe_empty':
      send(reply, withPicture(answer, { url: '', is_image_safe: false }))
      return
    case 'dead_link':
      send(reply, withPicture(answer, { url: stage.deadLink() }))
      return
    case 'expired_link':
      send(reply, withPicture(answer, { url: stage.expire(linkOf(answer)) }))
      return
    case 'cut_off':
      sendHalf(reply, answer, () => reply.socket?.destroy())
      return
    case 'hang_in_body':
      sendHalf(reply, answer, () => {})
      return
    case 'bad_json':
      reply.writeHead(200, { 'content-type': contentType(answer) }).end(toBytes(answer).subarray(0, -40))
      return
    case 'reset_before_reading':
    case 'reset_after_reading':
      reply.socket?.resetAndDestroy()
      return
    case 'hang':
      return
    case 'not_a_picture':
      send(reply, { ...answer, body: Buffer.from('noise instead of a picture '.repeat(40)) })
      return
    case 'corrupt_picture': {
      const picture = toBytes(answer)
      send(reply, { ...answer, body: Buffer.from(picture).fill(0x5a, Math.floor(picture.length / 3)) })
      return
    }
    case 'jpeg':
      send(reply, { ...answer, body: await makePicture({ width: 1024, height: 1024, format: 'jpeg', text: 'jpeg' }) })
      return
  }
}

function withPicture(answer: Answer, change: Readonly<Record<string, unknown>>): Answer {
  const body = Object(answer.body)
  return { ...answer, body: { ...body, data: [{ ...Object(body.data?.[0]), ...change }] } }
}

function linkOf(answer: Answer): string {
  return String(Object(Object(answer.body).data?.[0]).url)
}

function contentType({ headers }: Answer): string {
  return headers?.['content-type'] ?? 'application/json'
}

function toBytes({ body }: Answer): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
}

function sendHalf(reply: ServerResponse, answer: Answer, then: () => void): void {
  const bytes = toBytes(answer)
  reply.writeHead(answer.status, { 'content-type': contentType(answer), 'content-length': bytes.length })
  reply.write(bytes.subarray(0, Math.floor(bytes.length / 2)), then)
}
