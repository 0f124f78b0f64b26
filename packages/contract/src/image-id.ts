const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'
const GROUP_LENGTH = 9
const MAX_NAME_LENGTH = 'v2-aaaaaaaaa-aaaaaaaaa.jpeg'.length

/** The largest multiple of 36 in a byte: a byte from there on would favour the first characters. */
const FAIR_BYTES = 252

/** More than the two groups need, so that one draw is nearly always enough: a second costs as much as all the rest. */
const DRAWN_BYTES = 24

/** A name in the vendor's form with 93 random bits, so that it can't be guessed among any number of images. */
export function newImageId(): string {
  let text = ''
  while (text.length < 2 * GROUP_LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(DRAWN_BYTES))) {
      text += byte < FAIR_BYTES ? ALPHABET.charAt(byte % ALPHABET.length) : ''
    }
  }
  return `v2-${text.slice(0, GROUP_LENGTH)}-${text.slice(GROUP_LENGTH, 2 * GROUP_LENGTH)}`
}

export interface ImageName {
  /** In lower case, as it is stored. */
  readonly id: string
  /** The name ended in `.json`: the caller asks for the status, not for the bytes. */
  readonly wantsStatus: boolean
}

/** Reads the last part of an image's address, in any case, with or without extension; undefined for another shape. */
export function parseImageName(name: string): ImageName | undefined {
  if (name.length > MAX_NAME_LENGTH) {
    return undefined
  }
  // Matched before it is put in lower case, which would make a K of a Kelvin sign.
  const match = /^(v2-[0-9a-z]{9}-[0-9a-z]{9})(?:\.(jpg|jpeg|png|webp|json))?$/i.exec(name)
  const id = match?.[1]?.toLowerCase()
  return id === undefined ? undefined : { id, wantsStatus: match?.[2]?.toLowerCase() === 'json' }
}
