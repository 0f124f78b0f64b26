import type { IncomingMessage } from 'node:http'
import type { createPictureMaker } from './emulated-picture.ts'
import { type Answer, cutOff, type Stage, send } from './emulator.ts'
import { type BrokenFault, ERROR_FAULTS, isErrorFault, type OpenAiFault } from './openai-faults.ts'

interface OpenAiStage extends Stage {
  readonly makePicture: ReturnType<typeof createPictureMaker>
}

/** Breaks the connection before the body is read; false when the fault comes later. */
export function performEarlyFault(fault: OpenAiFault, request: IncomingMessage): boolean {
  if (fault !== 'reset_before_reading') {
    return false
  }
  request.socket.resetAndDestroy()
  return true
}

export async function performFault(fault: OpenAiFault, stage: OpenAiStage): Promise<void> {
  const error = typeof fault === 'object' ? fault : isErrorFault(fault) ? ERROR_FAULTS[fault] : undefined
  if (error) {
    stage.entry.pictures = 0
    send(stage.reply, {
      status: error.status,
      ...('headers' in error && { headers: error.headers }),
      body: { error: error.error },
    })
    return
  }
  if (typeof fault === 'string' && !isErrorFault(fault)) {
    await performBroken(fault, stage)
  }
}

const HTML = '<!doctype html><html><head><title>Welcome</title></head><body><h1>Welcome to nginx!</h1></body></html>'

async function performBroken(fault: BrokenFault, { reply, answer, entry, makePicture }: OpenAiStage): Promise<void> {
  const json = { 'content-type': 'application/json' }
  switch (fault) {
    case 'bad_gateway_html':
      entry.pictures = 0
      reply.writeHead(502, { 'content-type': 'text/html' }).end(HTML)
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
    case 'no_picture':
      send(reply, { status: 200, body: { created: 1, data: [] } })
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
      send(reply, withPicture(answer, Buffer.from('noise instead of a picture '.repeat(40))))
      return
    case 'corrupt_picture': {
      const picture = await makePicture({ width: 1024, height: 1024, format: 'png', text: 'corrupt' })
      send(reply, withPicture(answer, Buffer.from(picture).fill(0x5a, Math.floor(picture.length / 3))))
      return
    }
    case 'wrong_size':
      send(reply, withPicture(answer, await makePicture({ width: 320, height: 200, format: 'png', text: 'small' })))
      return
    case 'refusal':
      send(reply, withOutput(answer, 'completed', { type: 'refusal', refusal: "I'm sorry, I can't help with that." }))
      return
    case 'incomplete':
      send(reply, withOutput(answer, 'incomplete', { type: 'output_text', text: '{"prompt": "a fo', annotations: [] }))
      return
    case 'too_long':
      send(
        reply,
        withOutput(answer, 'completed', {
          type: 'output_text',
          text: JSON.stringify({ prompt: 'word '.repeat(5000), alt: 'word '.repeat(500) }),
          annotations: [],
        }),
      )
      return
  }
}

function withPicture(answer: Answer, picture: Buffer): Answer {
  return { ...answer, body: { ...Object(answer.body), data: [{ b64_json: picture.toString('base64') }] } }
}

function withOutput(answer: Answer, status: string, content: unknown): Answer {
  const incomplete = status === 'incomplete' ? { reason: 'max_output_tokens' } : null
  const output = [{ id: 'msg_emulated', type: 'message', status, role: 'assistant', content: [content] }]
  return { ...answer, body: { ...Object(answer.body), status, incomplete_details: incomplete, output } }
}
