import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { ReferenceFile } from './openai-rules.ts'

export interface EmulatedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Parsed JSON, or the fields of a form; undefined for a GET and while it was not read. */
  body?: unknown
  files?: readonly ReferenceFile[]
  /** The status that was answered; undefined when the connection was broken instead. */
  status?: number
  /** Pictures that OpenAI would have charged. */
  pictures: number
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: unknown
}

export function send(reply: ServerResponse, { status, headers = {}, body }: Answer): void {
  reply.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
