import { count } from './format.ts'
import { openProgress } from './progress.ts'
import type { Terminal } from './terminal.ts'

const WIDTH = 24

export interface Share extends Disposable {
  /** `expected` is a guess: more may come than that. */
  show(seen: number, expected: number, text: string): void
}

/** How much of a long work is done: a bar on a terminal, elsewhere a line for each tenth, for scripts nothing. */
export function openShare(terminal: Terminal): Share {
  const progress = openProgress({ isSilent: terminal.isJson })
  const isBar = process.stderr.isTTY === true
  let told = ''
  return {
    show(seen, expected, text) {
      const share = expected === 0 ? 1 : Math.min(1, seen / expected)
      if (isBar) {
        progress.show(`${bar(share)} ${count(seen)} of ${count(Math.max(seen, expected))}, ${text}`)
        return
      }
      const tenth = `${text.split(',')[0]} ${Math.floor(share * 10)}`
      if (tenth !== told) {
        told = tenth
        progress.show(`${Math.floor(share * 100)} %: ${count(seen)} of ${count(Math.max(seen, expected))}, ${text}`)
      }
    },
    [Symbol.dispose]: () => progress[Symbol.dispose](),
  }
}

export function bar(share: number): string {
  const full = Math.round(share * WIDTH)
  return `[${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}] ${String(Math.floor(share * 100)).padStart(3)} %`
}
