import { createHash } from 'node:crypto'
import sharp, { type Sharp } from 'sharp'

export type StoredContentType = 'image/jpeg' | 'image/png'

export interface EncodedImage {
  readonly bytes: Buffer
  readonly contentType: StoredContentType
  /** Hexadecimal SHA-256 of the bytes. */
  readonly sha256: string
}

/** The bytes are no picture that we take: another format, damaged, or too large. */
export class ImageDecodeError extends Error {
  override readonly name = 'ImageDecodeError'
}

/** 40 million pixels are twice what any model makes; libvips' default would allow a gigabyte in memory. */
const PIXEL_LIMIT = 40_000_000
const TIMEOUT_SECONDS = 15
const JPEG_QUALITY = 85
const FORMATS = new Set(['jpeg', 'png', 'webp'])

// Everything that can read bytes into libvips is off but for the three formats that image models answer with
// (libvips had faults in its GIF, TIFF and VIPS loaders, see GHSA-f88m-g3jw-g9cj).
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'] })
sharp.concurrency(1)
sharp.cache(false)

function open(bytes: Buffer, failOn: 'error' | 'warning' = 'warning') {
  return sharp(bytes, { limitInputPixels: PIXEL_LIMIT, failOn, pages: 1, unlimited: false }).timeout({
    seconds: TIMEOUT_SECONDS,
  })
}

/** What the bytes say they are. Throws ImageDecodeError when that is nothing that we take. */
export async function decodeCheck(bytes: Buffer): Promise<{ format: string; width: number; height: number }> {
  try {
    const { format, autoOrient } = await open(bytes).metadata()
    if (!FORMATS.has(format)) {
      throw new ImageDecodeError(`the format ${format} is not taken`)
    }
    return { format, width: autoOrient.width, height: autoOrient.height }
  } catch (error) {
    throw error instanceof ImageDecodeError ? error : new ImageDecodeError('not a readable picture', { cause: error })
  }
}

/**
 * Decodes the whole picture, to a very small one because that is quick, only to know that it is not damaged. Throws
 * ImageDecodeError. Forgives what cameras do: some write JPEG that libjpeg warns of.
 */
export async function decodeWhole(bytes: Buffer): Promise<void> {
  await decodeCheck(bytes)
  try {
    await open(bytes, 'error').resize(16, 16, { fit: 'fill' }).raw().toBuffer()
  } catch (error) {
    throw new ImageDecodeError('the picture is damaged', { cause: error })
  }
}

/**
 * Decodes what an upstream sent, wholly, and answers the bytes to store: a JPEG of exactly the size, or, for a
 * preserved original of the right size, the PNG as it came. A picture of another size is enlarged or shrunk to cover
 * the size and cropped to it, never distorted.
 */
export async function encodeImage(
  bytes: Buffer,
  target: { width: number; height: number; isOriginalPreserved: boolean },
): Promise<EncodedImage> {
  const source = await decodeCheck(bytes)
  const isSizeRight = source.width === target.width && source.height === target.height
  try {
    if (target.isOriginalPreserved && source.format === 'png' && isSizeRight) {
      // Decoded only to know that it is whole.
      await open(bytes).stats()
      return finish(bytes, 'image/png')
    }
    const image = open(bytes).autoOrient().toColourspace('srgb')
    if (!isSizeRight) {
      image.resize(target.width, target.height, { fit: 'cover', kernel: 'lanczos3' })
    }
    if (target.isOriginalPreserved) {
      return finish(await image.png({ compressionLevel: 6 }).toBuffer(), 'image/png')
    }
    return finish(await toJpeg(image), 'image/jpeg')
  } catch (error) {
    throw error instanceof ImageDecodeError ? error : new ImageDecodeError('the picture is damaged', { cause: error })
  }
}

async function toJpeg(image: Sharp): Promise<Buffer> {
  return await image.flatten({ background: '#ffffff' }).jpeg({ quality: JPEG_QUALITY, mozjpeg: false }).toBuffer()
}

function finish(bytes: Buffer, contentType: StoredContentType): EncodedImage {
  return { bytes, contentType, sha256: createHash('sha256').update(bytes).digest('hex') }
}
