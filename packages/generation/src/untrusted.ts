/** Tells whether a value from outside is an object whose fields can be looked at. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The field if it is a text, else undefined. */
export function textField(value: unknown, field: string): string | undefined {
  const found = isRecord(value) ? value[field] : undefined
  return typeof found === 'string' ? found : undefined
}

/** The field if it is a number that can be counted with, else 0. */
export function countField(value: unknown, field: string): number {
  const found = isRecord(value) ? value[field] : undefined
  return typeof found === 'number' && Number.isFinite(found) && found > 0 ? found : 0
}

/** A body as JSON, read no further than `maxBytes`; throws when it is longer, cut off or not JSON. */
export async function readJson(response: Response, maxBytes: number): Promise<unknown> {
  return JSON.parse((await readBytes(response, maxBytes)).toString('utf8'))
}

/** A body, read no further than `maxBytes`; throws when it is longer or cut off. */
export async function readBytes(response: Response, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  if (response.body) {
    for await (const chunk of response.body) {
      sizeBytes += chunk.byteLength
      // Leaving the loop cancels the stream and with it the connection.
      if (sizeBytes > maxBytes) {
        throw new Error(`the answer is longer than ${maxBytes} bytes`)
      }
      chunks.push(chunk)
    }
  }
  return Buffer.concat(chunks)
}

/** One short line for a log, without the key that was sent, other keys and organisations. */
export function shorten(text: string, apiKey: string, length: number): string {
  const bare = text
    .slice(0, 1000)
    .replaceAll(apiKey === '' ? '\u0000' : apiKey, '[key]')
    .replace(/\b(sk|sess|org|proj)-[\w*.-]+/g, '$1-[…]')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
  return bare.length <= length ? bare : `${bare.slice(0, length - 1).trimEnd()}…`
}

const TELLING_LENGTH = 24

/** Ends a text where it begins to repeat a prompt: some upstreams quote what they refuse. */
export function hidePrompt(text: string, prompt: string): string {
  const beginning = prompt.trim().slice(0, TELLING_LENGTH)
  // Of one or two letters nothing can be told, and they are in every word.
  const at = beginning.length < 3 ? -1 : text.indexOf(beginning)
  return at === -1 ? text : `${text.slice(0, at)}[prompt]`
}
