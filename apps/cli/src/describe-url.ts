/** Host and database of a URL, for people; never its user or password. */
export function describeUrl(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  const host = url.searchParams.get('host') ?? url.hostname
  const port = url.searchParams.get('port') ?? url.port
  return `${host === '' ? 'localhost' : host}${port === '' ? '' : `:${port}`}${url.pathname}`
}
