/** `images/` and one or more names of lower-case letters, digits, `-` and single dots within. */
const BLOB_KEY = /^images(?:\/[a-z0-9-]+(?:\.[a-z0-9-]+)*)+$/
const MAX_KEY_CHARACTERS = 200

/** Whether we could have made it. */
export function isBlobKey(key: string): boolean {
  return key.length <= MAX_KEY_CHARACTERS && BLOB_KEY.test(key)
}

/** Throws for every key that we would not have made, before it becomes a path or an address. */
export function assertBlobKey(key: string): void {
  if (!isBlobKey(key)) {
    throw new Error(`Not a key of a blob: ${JSON.stringify(key.slice(0, 64))}`)
  }
}
