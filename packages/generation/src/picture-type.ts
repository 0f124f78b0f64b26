export type PictureType = 'image/jpeg' | 'image/png' | 'image/webp'

/** What the bytes claim to be, by their signature alone; undefined for anything that we don't take. Decode them before use. */
export function pictureType(bytes: Buffer): PictureType | undefined {
  const head = bytes.toString('latin1', 0, 12)
  if (head.startsWith('\xff\xd8\xff')) {
    return 'image/jpeg'
  }
  if (head.startsWith('\x89PNG\r\n\x1a\n')) {
    return 'image/png'
  }
  return head.startsWith('RIFF') && head.endsWith('WEBP') ? 'image/webp' : undefined
}
