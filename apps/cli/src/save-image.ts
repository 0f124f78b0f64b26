import { access, constants, mkdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CliError, messageOf, systemCode } from './errors.ts'

/** Where images go, and what their names begin with. */
export interface Destination {
  readonly folder: string
  readonly base: string
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  'image/jpeg': '.jpg',
  'image/png': '.png',
  'image/webp': '.webp',
}
const KNOWN_EXTENSION = /\.(jpe?g|png|webp)$/i
const MOST_CHARACTERS = 40

/** A folder for `out`, made if need be, or its name without extension; named after the prompt otherwise. */
export async function chooseDestination(prompt: string, out: string | undefined): Promise<Destination> {
  const isFolder =
    out === undefined || /[/\\]$/.test(out) || (await stat(out).catch(() => undefined))?.isDirectory() === true
  const folder = path.resolve(isFolder ? (out ?? '.') : path.dirname(out))
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.W_OK)
  } catch (error) {
    throw new CliError('usage', `images can't be saved in ${folder}: ${messageOf(error)}`, { cause: error })
  }
  return { folder, base: isFolder ? nameFor(prompt) : path.basename(out).replace(KNOWN_EXTENSION, '') }
}

/** "A cat on a mat!" becomes "cat-on-a-mat". */
export function nameFor(prompt: string): string {
  const words = prompt
    .normalize('NFKC')
    .toLowerCase()
    .replace(/^\s*(a|an|the)\s+/, '')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
  let name = words.shift()?.slice(0, MOST_CHARACTERS) ?? 'image'
  for (const word of words) {
    if (name.length + 1 + word.length > MOST_CHARACTERS) {
      break
    }
    name += `-${word}`
  }
  return name
}

/** Never overwrites: the first number that is free is put behind the name. Answers the file. */
export async function saveImage(
  { folder, base }: Destination,
  image: { bytes: Uint8Array; contentType: string },
): Promise<string> {
  const extension = EXTENSIONS[image.contentType] ?? '.jpg'
  for (let number = 1; ; number += 1) {
    const file = path.join(folder, `${base}${number === 1 ? '' : `-${number}`}${extension}`)
    try {
      await writeFile(file, image.bytes, { flag: 'wx' })
      return file
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') {
        throw error
      }
    }
  }
}
