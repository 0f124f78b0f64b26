/** The header of a POST with the client's own labels: `team=acme, project=x1`. They come back in reports and webhooks. */
export const TAGS_HEADER = 'X-Wombat-Tags'

export type Tags = Readonly<Record<string, string>>

/** Why a text is no list of tags. */
export interface TagsFault {
  /** Completes "it takes". */
  readonly expected: string
}

const MOST_TAGS = 10
const NAME = /^[a-z][a-z0-9_-]{0,31}$/
/** A comma ends it; what else an HTTP header can carry in every client is ASCII. */
const VALUE = /^[\x20-\x2b\x2d-\x7e]{1,64}$/
const EXPECTED =
  `pairs such as team=acme, project=x1: at most ${MOST_TAGS}, each name once, of a lower-case letter and up to 31 ` +
  'lower-case letters, digits, - or _, and values of 1 to 64 printable ASCII characters without commas'

/** An empty text has none. */
export function parseTags(text: string): { tags: Tags | undefined } | TagsFault {
  if (text.trim() === '') {
    return { tags: undefined }
  }
  const pairs = text.split(',').map(readPair)
  const tags = new Map<string, string>()
  for (const pair of pairs) {
    if (pair === undefined || tags.has(pair.name)) {
      return { expected: EXPECTED }
    }
    tags.set(pair.name, pair.value)
  }
  return tags.size > MOST_TAGS ? { expected: EXPECTED } : { tags: Object.fromEntries(tags) }
}

/** Of a value that has a = in it, only the first one counts. */
function readPair(text: string): { name: string; value: string } | undefined {
  const [name = '', ...rest] = text.split('=')
  const pair = { name: name.trim(), value: rest.join('=').trim() }
  return NAME.test(pair.name) && VALUE.test(pair.value) ? pair : undefined
}
