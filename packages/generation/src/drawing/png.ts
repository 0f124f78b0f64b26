import { constants, crc32, deflateSync } from 'node:zlib'
import type { Random } from './random.ts'

const GRAIN_SIZE = 1 << 16

/**
 * Encodes opaque RGBA pixels as PNG, with film grain: the canvas's own encoder takes half a second, this one a tenth,
 * and grain gives the bytes the weight of a photograph.
 */
export function encodeGrainyPng(
  pixels: Uint8ClampedArray,
  options: { width: number; height: number; random: Random; strength: number },
): Buffer {
  const rows = grainyRows(pixels, options)
  const header = Buffer.alloc(13)
  header.writeUInt32BE(options.width, 0)
  header.writeUInt32BE(options.height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  // With grain there is nothing to find by looking back: Huffman alone costs a third and loses a tenth.
  const data = deflateSync(rows, { level: 1, strategy: constants.Z_HUFFMAN_ONLY, memLevel: 9 })
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  framed.set(body, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

/** PNG scanlines with the filter "Sub": each byte is the difference to the pixel on its left. */
function grainyRows(
  pixels: Uint8ClampedArray,
  options: { width: number; height: number; random: Random; strength: number },
): Buffer {
  const { width, height, random } = options
  const grain = createGrain(random, options.strength)
  const rows = Buffer.allocUnsafe((width * 3 + 1) * height)
  let to = 0
  let from = 0
  for (let y = 0; y < height; y += 1) {
    rows[to] = 1
    to += 1
    let red = 0
    let green = 0
    let blue = 0
    let at = random.integer(0, GRAIN_SIZE - 1)
    for (let x = 0; x < width; x += 1) {
      const light = grain[at & (GRAIN_SIZE - 1)] ?? 0
      const tint = grain[(at + 7919) & (GRAIN_SIZE - 1)] ?? 0
      at += 1
      const nextRed = clamp((pixels[from] ?? 0) + light)
      const nextGreen = clamp((pixels[from + 1] ?? 0) + light + (tint >> 2))
      const nextBlue = clamp((pixels[from + 2] ?? 0) + light - (tint >> 1))
      rows[to] = nextRed - red
      rows[to + 1] = nextGreen - green
      rows[to + 2] = nextBlue - blue
      red = nextRed
      green = nextGreen
      blue = nextBlue
      from += 4
      to += 3
    }
  }
  return rows
}

function clamp(value: number): number {
  return value < 0 ? 0 : Math.min(value, 255)
}

/** Noise whose small values are the likely ones, each a little like the one before, as grains of film are. */
function createGrain(random: Random, strength: number): Int8Array {
  const grain = new Int8Array(GRAIN_SIZE)
  let before = 0
  for (let index = 0; index < GRAIN_SIZE; index += 1) {
    const value = (random.next() + random.next() + random.next() - 1.5) * strength
    grain[index] = Math.round(value + before * 0.3)
    before = value
  }
  return grain
}
