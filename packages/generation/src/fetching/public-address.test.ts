import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPublicAddress } from './public-address.ts'

const CLOSED_IPV4 = [
  ['0.0.0.0', '0.1.2.3', '0.255.255.255'],
  ['10.0.0.0', '10.1.2.3', '10.255.255.255'],
  ['100.64.0.0', '100.100.100.200', '100.127.255.255'],
  ['127.0.0.0', '127.0.0.1', '127.0.0.53', '127.255.255.255'],
  ['169.254.0.0', '169.254.169.254', '169.254.170.2', '169.254.255.255'],
  ['172.16.0.0', '172.17.0.1', '172.31.255.255'],
  ['192.0.0.0', '192.0.0.192', '192.0.2.1', '192.31.196.1', '192.52.193.1', '192.88.99.1'],
  ['192.168.0.0', '192.168.1.1', '192.168.255.255', '192.175.48.1'],
  ['198.18.0.0', '198.19.255.255', '198.51.100.7', '203.0.113.7'],
  ['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.254', '255.255.255.255'],
  ['168.63.129.16'],
].flat()

const OPEN_IPV4 = [
  ['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.1'],
  ['169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.0.3.0', '192.167.255.255'],
  ['192.169.0.0', '198.17.255.255', '198.20.0.0', '198.51.99.255', '203.0.114.0', '223.255.255.255'],
  ['168.63.129.15', '168.63.129.17'],
].flat()

/** 127.0.0.1 as two hexadecimal groups. */
function hex(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

const same = (addresses: readonly string[], isPublic: boolean) => {
  for (const address of addresses) {
    assert.equal(isPublicAddress(address), isPublic, address)
  }
}

test('private, local, reserved and metadata IPv4 is closed, and what borders on it is open', () => {
  same(CLOSED_IPV4, false)
  same(OPEN_IPV4, true)
})

test('IPv4 in IPv6 is judged by its number, mapped and through NAT64, however it is written', () => {
  for (const prefix of ['::ffff:', '0:0:0:0:0:ffff:', '::FFFF:', '64:ff9b::', '64:FF9B:0:0:0:0:']) {
    for (const write of [hex, (address: string) => address]) {
      same(
        CLOSED_IPV4.map((address) => prefix + write(address)),
        false,
      )
      same(
        OPEN_IPV4.map((address) => prefix + write(address)),
        true,
      )
    }
  }
})

test('all other ways to put IPv4 in IPv6 are closed, whatever is in them', () => {
  for (const address of [...CLOSED_IPV4, ...OPEN_IPV4]) {
    same([`::${hex(address)}`, `::ffff:0:${hex(address)}`, `64:ff9b:1::${hex(address)}`], false)
    same([`2002:${hex(address)}::1`, `2001::${hex(address)}`, `fe80::5efe:${hex(address)}`], false)
  }
})

test('of IPv6 only global unicast is open, without the parts that are not routed', () => {
  same(['2606:4700:4700::1111', '2001:4860:4860::8888', '2a00:1450::1', '2001:200::1', '2600::', '3ffd::1'], true)
  same(['::', '::1', '0:0:0:0:0:0:0:1', '::2', '100::1', '100:0:0:1::1', '1fff::1', '4000::1', '5f00::1'], false)
  same(['fc00::1', 'fd00:ec2::254', 'fd20:ce::254', 'fe80::1', 'febf::1', 'fec0::1', 'ff02::1', 'ffff::1'], false)
  same(['2001:2::1', '2001:3::1', '2001:10::1', '2001:20::1', '2001:30::1', '2001:1ff::1', '2001:db8::1'], false)
  same(['2620:4f:8000::1', '3ffe::1', '3fff::1', '3fff:fff::1'], false)
})

test('what is no address is closed', () => {
  same(['', 'localhost', 'example.com', '1.2.3', '1.2.3.4.5', '0x8.8.8.8', '08.8.8.8', '134744072', ' 8.8.8.8'], false)
  same(['[2606:4700::1]', '2606:4700::1%eth0', 'fe80::1%lo', '8.8.8.8:80', '8.8.8.8/8', '::g', '2606:4700'], false)
})
