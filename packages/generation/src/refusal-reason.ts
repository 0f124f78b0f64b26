/** A category that may be shown to a client, in small letters; undefined for what isn't one. */
export function toReason(category: unknown): string | undefined {
  const reason = typeof category === 'string' ? category.toLowerCase() : ''
  return /^[a-z][a-z0-9 _-]{0,39}$/.test(reason) ? reason : undefined
}
