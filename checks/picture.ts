import assert from 'node:assert/strict'

export interface Picture {
  readonly type: 'image/jpeg' | 'image/png'
  readonly size: string
}

/** The type and size that the bytes themselves tell. */
export function readPicture(bytes: Buffer): Picture {
  if (bytes.subarray(0, 8).equals(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))) {
    return { type: 'image/png', size: `${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}` }
  }
  assert.equal(bytes.readUInt16BE(0), 0xffd8, 'neither PNG nor JPEG')
  assert.equal(bytes.readUInt16BE(bytes.length - 2), 0xffd9, 'the JPEG has no end')
  let at = 2
  while (!isFrame(bytes[at + 1] ?? 0)) {
    at += 2 + bytes.readUInt16BE(at + 2)
  }
  return { type: 'image/jpeg', size: `${bytes.readUInt16BE(at + 7)}x${bytes.readUInt16BE(at + 5)}` }
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which lie among them. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
}
