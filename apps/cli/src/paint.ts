import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'

type Format = Parameters<typeof styleText>[0]

/** Colours for a terminal that has them, and the bare text for files, pipes and NO_COLOR. */
export function painter(stream: Partial<Pick<WriteStream, 'hasColors'>>): (format: Format, text: string) => string {
  const isColored = stream.hasColors?.() ?? false
  return (format, text) => (isColored ? styleText(format, text, { validateStream: false }) : text)
}
