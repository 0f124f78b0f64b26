import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that the system gives to outgoing connections: one of these could have a port while its server restarts. */
const FIRST = 18_000
const LAST = 29_000
const HOST = '127.0.0.1'

/** So many ports of this machine that nobody uses now, from a random place on. */
export async function findPorts(count: number): Promise<number[]> {
  const ports: number[] = []
  const begin = FIRST + Math.floor(Math.random() * (LAST - FIRST))
  for (let step = 0; ports.length < count && step < LAST - FIRST; step += 1) {
    const port = FIRST + ((begin - FIRST + step) % (LAST - FIRST))
    if (await isFree(port)) {
      ports.push(port)
    }
  }
  if (ports.length < count) {
    throw new Error(`There are no ${count} free ports between ${FIRST} and ${LAST} on ${HOST}.`)
  }
  return ports
}

export async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, HOST)
  try {
    await once(probe, 'listening')
  } catch {
    // Taken, or not ours to take.
    return false
  }
  probe.close()
  await once(probe, 'close')
  return true
}
