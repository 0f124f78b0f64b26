import { isIP, type LookupFunction } from 'node:net'
import { ProviderError } from '../provider.ts'
import type { Gate } from './gate.ts'
import { ClosedTargetError } from './target.ts'

/**
 * A socket's `lookup`: the addresses that it answers are the ones that are connected to, so nothing can change between
 * the check and the connection. One closed address among many closes the name. Not called for addresses in URLs.
 */
export function createVettedLookup(gate: Gate): LookupFunction {
  return (hostname, options, callback) => {
    vet(hostname, gate).then(
      ([first, ...others]) => {
        if (options.all === true) {
          callback(null, [first, ...others])
        } else {
          callback(null, first.address, first.family)
        }
      },
      (error: Error) => callback(error, []),
    )
  }
}

interface Address {
  readonly address: string
  readonly family: number
}

async function vet(hostname: string, gate: Gate): Promise<[Address, ...Address[]]> {
  const addresses = await gate.resolve(hostname)
  const shut = addresses.find((address) => !gate.isOpenAddress(address))
  if (shut !== undefined) {
    throw new ClosedTargetError(`${hostname} is ${shut}, which is not public`)
  }
  const [first, ...others] = addresses.map((address) => ({ address, family: isIP(address) }))
  if (first === undefined) {
    throw new ProviderError('bad_reference', `${hostname} has no address`)
  }
  return [first, ...others]
}
