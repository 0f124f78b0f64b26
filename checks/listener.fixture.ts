/** A process of its own with one LISTEN connection, which closes when its input ends and must then end by itself. */
import { once } from 'node:events'
import { openListener } from '@wombat/database'

const listener = await openListener({ url: process.argv[2] ?? '', applicationName: 'wombat check', onError: () => {} })
console.log('open')
process.stdin.resume()
await once(process.stdin, 'end')
await listener.close()
console.log('closed')
