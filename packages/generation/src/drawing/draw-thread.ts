import { parentPort } from 'node:worker_threads'
import { registerFonts } from './fonts.ts'
import { createPainter, type PictureRequest } from './picture.ts'

/** What the server's thread sends, and what comes back; `easel.ts` is the other side. */
export interface Draw {
  readonly id: number
  readonly request: PictureRequest
}

export type Drawn =
  | { readonly id: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly error: string }

registerFonts()
const paint = createPainter()

parentPort?.on('message', ({ id, request }: Draw) => {
  try {
    // A copy of its own, so that handing its memory over leaves the canvas's alone.
    const bytes = Uint8Array.from(paint(request))
    const drawn: Drawn = { id, bytes }
    parentPort?.postMessage(drawn, [bytes.buffer])
  } catch (error) {
    const drawn: Drawn = { id, error: error instanceof Error ? error.message : String(error) }
    parentPort?.postMessage(drawn)
  }
})
