import { createHash } from 'node:crypto'

export type PictureFormat = 'png' | 'jpeg' | 'webp'

const REMEMBERED = 64

/** Makes plain pictures whose colors follow from a text; what was made before comes from memory. */
export function createPictureMaker(): (options: {
  width: number
  height: number
  format: PictureFormat
  text: string
}) => Promise<Buffer> {
  const made = new Map<string, Promise<Buffer>>()
  return ({ width, height, format, text }) => {
    const hue = (createHash('sha256').update(text).digest().readUInt8(0) % 12) * 30
    const key = `${width}x${height} ${format} ${hue}`
    const known = made.get(key)
    if (known) {
      return known
    }
    const picture = paint({ width, height, format, hue })
    made.set(key, picture)
    const oldest = made.keys().next().value
    if (made.size > REMEMBERED && oldest !== undefined) {
      made.delete(oldest)
    }
    return picture
  }
}

async function paint(options: { width: number; height: number; format: PictureFormat; hue: number }): Promise<Buffer> {
  // Loaded late: whoever takes only a database from this package should not wait for a canvas.
  const { createCanvas } = await import('@napi-rs/canvas')
  const { width, height, format, hue } = options
  const canvas = createCanvas(width, height)
  const context = canvas.getContext('2d')
  context.fillStyle = `hsl(${hue}, 60%, 80%)`
  context.fillRect(0, 0, width, height)
  for (let ring = 4; ring > 0; ring -= 1) {
    context.fillStyle = `hsl(${hue + ring * 25}, 65%, ${25 + ring * 11}%)`
    context.beginPath()
    context.arc(width / 2, height / 2, (Math.min(width, height) * ring) / 9, 0, Math.PI * 2)
    context.fill()
  }
  return format === 'png' ? canvas.encode('png') : canvas.encode(format, 90)
}
