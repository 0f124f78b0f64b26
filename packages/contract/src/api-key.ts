const MIN_LENGTH = 16
const MAX_LENGTH = 128

/** A key in the vendor's form, UUID v4. It is a secret: show it once and store its hash. */
export function newApiKey(): string {
  return crypto.randomUUID()
}

/** False means that it can't be anybody's key, and the database need not be asked. Wider than what newApiKey makes. */
export function isApiKeyShape(text: string): boolean {
  return text.length >= MIN_LENGTH && text.length <= MAX_LENGTH && /^[A-Za-z0-9._-]+$/.test(text)
}
