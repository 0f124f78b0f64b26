import { setTimeout as sleep } from 'node:timers/promises'
import type { Overview } from '@wombat/engine'
import type { Command } from 'commander'
import { addDatabaseCommand } from './command.ts'
import { messageOf } from './errors.ts'
import { type Desk, onDatabase } from './on-database.ts'
import type { Outcome, Terminal } from './terminal.ts'
import { topFrame } from './top-frame.ts'

const EPILOGUE = `
It reads the database once a second and nothing else, so it shows all servers and workers, wherever they run. OLDEST is
how long an image has been waiting that could be made now. CALLS are those under way, of those that may be so at once.
Who waits for images is known to each server alone: its /metrics tell. q or Ctrl-C ends it.`

export function addTopCommand(program: Command, terminal: Terminal): void {
  addDatabaseCommand(program, 'top', 'the queue, the routes and what was made in the last minute, live')
    .option('--once', 'print one frame and end, as --json and a pipe do')
    .addHelpText('after', EPILOGUE)
    .action((options: { once?: true }) =>
      onDatabase(terminal, 'top', (desk) => {
        const isLive = options.once !== true && !terminal.isJson && process.stdout.isTTY && process.stdin.isTTY
        return isLive ? live(desk) : once(desk)
      }),
    )
}

async function once(desk: Desk): Promise<Outcome> {
  const overview = await read(desk)
  const { columns = 0, rows = 0 } = process.stdout
  // A screen that it is printed on limits how wide it is, but not how long.
  const screen =
    process.stdout.isTTY && columns > 0 && rows > 0 ? { columns, rows: Number.MAX_SAFE_INTEGER } : undefined
  return { json: overview, text: topFrame(overview, screen) }
}

function read({ db, engine, settings }: Desk): Promise<Overview> {
  return engine.readOverview(db, settings.config)
}

const CTRL_C = '\u0003'
const EVERY_MS = 1_000
const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const REST_OF_LINE = '\u001b[K'
const REST_OF_SCREEN = '\u001b[J'

/** On a screen of its own, until q or Ctrl-C; the last frame stays behind. */
async function live(desk: Desk): Promise<Outcome> {
  using keys = watchKeys()
  const ended = AbortSignal.any([keys.quit, desk.stop])
  let last: { overview: Overview; frame: string } | undefined
  process.stdout.write(ENTER)
  try {
    while (!ended.aborted) {
      const { columns, rows } = process.stdout
      const screen = { columns, rows: rows - 1 }
      let foot = 'q ends'
      try {
        const overview = await read(desk)
        last = { overview, frame: topFrame(overview, screen) }
      } catch (error) {
        foot = `the database does not answer: ${messageOf(error)}`.replace(/\s+/g, ' ')
      }
      draw(`${last?.frame ?? 'wombat top'}\n`, foot.slice(0, columns))
      await sleep(EVERY_MS, undefined, { signal: ended }).catch(() => {
        // It was told to end.
      })
    }
  } finally {
    process.stdout.write(LEAVE)
  }
  return { json: last?.overview ?? {}, text: last?.frame ?? '' }
}

/** Over the frame before, in one piece: nothing is erased that stays, so nothing flickers. */
function draw(frame: string, foot: string): void {
  process.stdout.write(`${HOME}${frame.replaceAll('\n', `${REST_OF_LINE}\n`)}${foot}${REST_OF_LINE}${REST_OF_SCREEN}`)
}

function watchKeys(): Disposable & { readonly quit: AbortSignal } {
  const quit = new AbortController()
  const { stdin } = process
  function onData(keys: Buffer) {
    // In this mode Ctrl-C is a letter like any other.
    if (['q', 'Q', CTRL_C].some((key) => keys.includes(key))) {
      quit.abort()
    }
  }
  stdin.setRawMode(true).on('data', onData).resume()
  return {
    quit: quit.signal,
    [Symbol.dispose]() {
      stdin.off('data', onData).setRawMode(false).pause()
    },
  }
}
