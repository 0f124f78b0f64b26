import { connect } from 'node:net'
import path from 'node:path'

export interface SqlOptions {
  readonly socketDir: string
  readonly database: string
}

const TIMEOUT_MS = 20_000
const PROTOCOL_3 = 196_608

/** PostgreSQL's cluster role, made by initdb. */
export const ROLE = 'wombat'

/** The file through which the server of a socket directory is reached. */
export function socketPath(socketDir: string): string {
  return path.join(socketDir, '.s.PGSQL.5432')
}

/**
 * Runs one statement and returns the number of its rows. It is the little of PostgreSQL's protocol that making a
 * database takes: only packages/database may import a driver.
 */
export function countRows(statement: string, { socketDir, database }: SqlOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath(socketDir))
    let received = Buffer.alloc(0)
    let isSent = false
    let rows = 0
    let failure: Error | undefined
    const answer: Record<string, (body: Buffer) => void> = {
      R: (body) => {
        if (body.readInt32BE(0) !== 0) {
          socket.destroy(new Error('The server asks for a password.'))
        }
      },
      D: () => {
        rows += 1
      },
      E: (body) => {
        failure = new Error(`PostgreSQL: ${errorMessage(body)}`)
      },
      Z: () => {
        if (isSent) {
          socket.end(message('X', ''))
          settle()
        } else {
          socket.write(message('Q', `${statement}\0`))
          isSent = true
        }
      },
    }
    const settle = () => (failure === undefined ? resolve(rows) : reject(failure))
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`No answer within ${TIMEOUT_MS / 1000} s.`)))
    socket.on('connect', () => socket.write(startup(database)))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      // Each message is a letter, a length that counts itself, and a body.
      while (received.length >= 5 && received.length > received.readInt32BE(1)) {
        const end = 1 + received.readInt32BE(1)
        answer[received.toString('latin1', 0, 1)]?.(received.subarray(5, end))
        received = received.subarray(end)
      }
    })
    socket.on('error', reject)
    socket.on('close', () => reject(failure ?? new Error('The server closed the connection.')))
  })
}

function startup(database: string): Buffer {
  const body = Buffer.from(`user\0${ROLE}\0database\0${database}\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(head.length + body.length, 0)
  head.writeInt32BE(PROTOCOL_3, 4)
  return Buffer.concat([head, body])
}

function message(type: string, text: string): Buffer {
  const body = Buffer.from(text)
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}

/** The fields of an error are letter and text, each ended by a zero: M is the message. */
function errorMessage(body: Buffer): string {
  const fields = body.toString('utf8').split('\0')
  return fields.find((field) => field.startsWith('M'))?.slice(1) ?? 'unknown error'
}
