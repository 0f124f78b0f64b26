import { painter } from './paint.ts'

export interface Progress extends Disposable {
  /** What is going on; on a terminal behind a spinner, otherwise a line when it changes. */
  show(text: string): void
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 80
const ERASE_LINE = '\r\u001b[2K'

/** On standard error; disposing takes the spinner away, and may be done twice. */
export function openProgress({ isSilent }: { isSilent: boolean }): Progress {
  if (isSilent) {
    return { show: () => {}, [Symbol.dispose]: () => {} }
  }
  return process.stderr.isTTY === true ? openSpinner() : openLines()
}

function openSpinner(): Progress {
  const paint = painter(process.stderr)
  const startedMs = performance.now()
  let text = 'looking for a server'
  let frame = 0
  let isOver = false
  function draw() {
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    const width = Math.max(10, (process.stderr.columns || 80) - seconds.length - 8)
    process.stderr.write(
      `${ERASE_LINE}${paint('cyan', FRAMES[frame % FRAMES.length] ?? '')} ${text.slice(0, width)} ${paint('dim', `${seconds} s`)}`,
    )
    frame += 1
  }
  const timer = setInterval(draw, FRAME_MS)
  return {
    show(next) {
      text = next
      draw()
    },
    [Symbol.dispose]() {
      if (!isOver) {
        isOver = true
        clearInterval(timer)
        process.stderr.write(ERASE_LINE)
      }
    },
  }
}

function openLines(): Progress {
  let last = ''
  return {
    show(text) {
      if (text !== last) {
        last = text
        process.stderr.write(`${text}\n`)
      }
    },
    [Symbol.dispose]() {},
  }
}
