import { readFileSync } from 'node:fs'

/** Of this checkout. */
export function version(): string {
  const { version: found } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return String(found)
}
