import type { IncomingMessage } from 'node:http'
import type { createPictureMaker } from './emulated-picture.ts'
import { type Answer, cutOff, type Stage, send } from './emulator.ts'
import type { GeminiError } from './gemini-error.ts'
import {
  GEMINI_ERROR_FAULTS,
  type GeminiBrokenFault,
  type GeminiFault,
  type GeminiRefusal,
  isGeminiErrorFault,
} from './gemini-faults.ts'

interface GeminiStage extends Stage {
  readonly makePicture: ReturnType<typeof createPictureMaker>
}

/** Breaks the connection before the body is read; false when the fault comes later. */
export function performEarlyGeminiFault(fault: GeminiFault, request: IncomingMessage): boolean {
  if (fault !== 'reset_before_reading') {
    return false
  }
  request.socket.resetAndDestroy()
  return true
}

export async function performGeminiFault(fault: GeminiFault, stage: GeminiStage): Promise<void> {
  if (typeof fault === 'string' && !isGeminiErrorFault(fault)) {
    await performBroken(fault, stage)
    return
  }
  stage.entry.pictures = 0
  const told = typeof fault === 'string' ? GEMINI_ERROR_FAULTS[fault] : fault
  send(stage.reply, 'error' in told ? answerGeminiError(told) : { status: 200, body: refusalBody(told, stage.answer) })
}

export function answerGeminiError({ status, headers = {}, error }: GeminiError): Answer {
  return { status, headers, body: { error } }
}

/** A refusal in place of an answer; what Google refuses it is said not to charge. */
export function refusalBody(refusal: GeminiRefusal, answer: Answer): unknown {
  const { modelVersion, responseId, usageMetadata } = Object(answer.body)
  const promptTokenCount = usageMetadata?.promptTokenCount ?? 0
  const rest = { usageMetadata: { promptTokenCount, totalTokenCount: promptTokenCount }, modelVersion, responseId }
  if ('blockReason' in refusal) {
    return { promptFeedback: { blockReason: refusal.blockReason }, ...rest }
  }
  const { finishReason, content } = refusal
  const contents = {
    empty: {},
    null: { parts: null },
    text: { role: 'model', parts: [{ text: 'I can describe it instead.' }] },
  }
  const finishMessage = 'Unable to show the generated image. Try rephrasing the prompt.'
  return { candidates: [{ content: contents[content], finishReason, finishMessage, index: 0 }], ...rest }
}

const HTML = '<!doctype html><html><head><title>Welcome</title></head><body><h1>Welcome to nginx!</h1></body></html>'

async function performBroken(fault: GeminiBrokenFault, stage: GeminiStage): Promise<void> {
  const { reply, answer, entry, makePicture } = stage
  const json = { 'content-type': 'application/json; charset=UTF-8' }
  const sendParts = (...parts: unknown[]): void => send(reply, withParts(answer, parts))
  switch (fault) {
    case 'bad_gateway_html':
    case 'not_found_html':
      entry.pictures = 0
      reply.writeHead(fault === 'not_found_html' ? 404 : 502, { 'content-type': 'text/html' }).end(HTML)
      return
    case 'html':
      reply.writeHead(200, { 'content-type': 'text/html' }).end(HTML)
      return
    case 'empty':
      reply.writeHead(200, json).end()
      return
    case 'empty_object':
      send(reply, { status: 200, body: {} })
      return
    case 'empty_candidates':
      send(reply, { status: 200, body: { ...Object(answer.body), candidates: [] } })
      return
    case 'empty_data':
      sendParts({ inlineData: { mimeType: 'image/jpeg', data: '' } })
      return
    case 'bad_json':
      reply.writeHead(200, json).end(JSON.stringify(answer.body).slice(0, -40))
      return
    case 'cut_off':
      cutOff(reply, JSON.stringify(answer.body))
      return
    case 'hang_in_body':
      reply.writeHead(200, json).write(JSON.stringify(answer.body).slice(0, 20))
      return
    case 'reset_before_reading':
    case 'reset_after_reading':
      reply.socket?.resetAndDestroy()
      return
    case 'hang':
      return
    case 'not_a_picture':
      sendParts(jpegPart(Buffer.from('noise instead of a picture '.repeat(40))))
      return
    case 'corrupt_picture': {
      const picture = await makePicture({ width: 1024, height: 1024, format: 'jpeg', text: 'corrupt' })
      sendParts(jpegPart(Buffer.from(picture).fill(0x5a, Math.floor(picture.length / 3))))
      return
    }
    case 'wrong_size':
      sendParts(jpegPart(await makePicture({ width: 320, height: 200, format: 'jpeg', text: 'small' })))
      return
    case 'draft_only': {
      const draft = await makePicture({ width: 512, height: 512, format: 'jpeg', text: 'draft' })
      sendParts({ text: 'Looking at the draft.', thought: true }, { ...jpegPart(draft), thought: true })
      return
    }
    case 'snake_case': {
      const picture = await makePicture({ width: 1024, height: 1024, format: 'jpeg', text: 'snake' })
      sendParts({ inline_data: { mime_type: 'image/jpeg', data: picture.toString('base64') } })
      return
    }
  }
}

export function jpegPart(picture: Buffer): { inlineData: { mimeType: string; data: string } } {
  return { inlineData: { mimeType: 'image/jpeg', data: picture.toString('base64') } }
}

function withParts(answer: Answer, parts: readonly unknown[]): Answer {
  const candidate = { content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }
  return { ...answer, body: { ...Object(answer.body), candidates: [candidate] } }
}
