import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

/** A network such as 10.0.0.0/8 or 2001:db8::/32, or one address. Undefined: the text is neither. */
export function parseNetwork(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', bits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
  const longest = family === 'ipv4' ? 32 : 128
  const prefix = bits === undefined ? longest : Number(bits)
  return isIP(address) === 0 || prefix > longest ? undefined : { address, prefix, family }
}

/** The addresses in networks. What is no network allows nobody. */
export function openNetworks(networks: readonly string[]): { has(address: string): boolean } {
  const list = new BlockList()
  for (const { address, prefix, family } of networks.flatMap((text) => parseNetwork(text) ?? [])) {
    list.addSubnet(address, prefix, family)
  }
  return {
    has(address) {
      const [bare = ''] = address.split('%')
      // A server that listens on :: sees clients of IPv4 so.
      const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare
      return (isIPv4(mapped) && list.check(mapped, 'ipv4')) || (isIPv6(mapped) && list.check(mapped, 'ipv6'))
    },
  }
}
