/* What the errors of an S3 server mean. They are told by status and code, since dialects differ in everything else. */

/** A 404 of the object. One of the bucket is a fault of the settings and must not look like an empty store. */
export function isMissingObject(error: unknown): boolean {
  return statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket'
}

export function isRangeRefused(error: unknown): boolean {
  return statusOf(error) === 416
}

/** In words for the operator, who knows the settings and not the protocol. */
export function explainS3Fault(error: unknown, bucket: string): string {
  const name = nameOf(error)
  const status = statusOf(error)
  const said = error instanceof Error && error.message !== '' ? error.message : name
  if (name === 'NoSuchBucket') {
    return `there is no bucket ${bucket}: make it, or set S3_BUCKET to another one`
  }
  if (name === 'CredentialsProviderError') {
    return 'no credentials were found: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY'
  }
  if (status === 301 || name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed') {
    return `the bucket ${bucket} is elsewhere: check S3_REGION and S3_ENDPOINT (${said})`
  }
  if (status === 401 || status === 403) {
    return `access was refused (${name}): check S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY and what they may do in the bucket ${bucket}`
  }
  return status === undefined ? said : `it answered ${status} ${name}${said === name ? '' : `: ${said}`}`
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'Unknown'
}

/** The SDK puts it beside the error that it makes of an answer. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error && '$metadata' in error)) {
    return undefined
  }
  const { $metadata: metadata } = error
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) {
    return undefined
  }
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}
