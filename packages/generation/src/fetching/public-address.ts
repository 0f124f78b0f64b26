import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** IPv4 that is not the public internet: IANA's special-purpose registry, multicast, reserved, and a cloud's own. */
const CLOSED_IPV4: readonly (readonly [address: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // It looks public, and is Azure's metadata and DNS to every machine there.
  ['168.63.129.16', 32],
]

/** What IPv6 has to be in: global unicast, or IPv4 written as mapped or through the well-known NAT64 prefix. */
const OPEN_IPV6: readonly (readonly [address: string, prefix: number])[] = [
  ['2000::', 3],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
]

/** What lies in there and is not public: protocol assignments (Teredo, ORCHID, AMT ...), 6to4, documentation, AS112. */
const CLOSED_IPV6: readonly (readonly [address: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3ffe::', 16],
  ['3fff::', 20],
]

const openIpv6 = new BlockList()
for (const [address, prefix] of OPEN_IPV6) {
  openIpv6.addSubnet(address, prefix, 'ipv6')
}

const closed = new BlockList()
for (const [address, prefix] of CLOSED_IPV4) {
  closed.addSubnet(address, prefix, 'ipv4')
  closed.addSubnet(`::ffff:${address}`, prefix + 96, 'ipv6')
  closed.addSubnet(`64:ff9b::${address}`, prefix + 96, 'ipv6')
}
for (const [address, prefix] of CLOSED_IPV6) {
  closed.addSubnet(address, prefix, 'ipv6')
}

/** True for an address of the public internet. Decided by number; false for what is no address at all. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) {
    return !closed.check(address, 'ipv4')
  }
  // A zone (%eth0) means link-local, whatever stands before it.
  return isIPv6(address) && !address.includes('%') && openIpv6.check(address, 'ipv6') && !closed.check(address, 'ipv6')
}
