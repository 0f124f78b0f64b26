import { createHash, randomBytes } from 'node:crypto'
import { IncomingMessage } from 'node:http'
import { addAbortSignal, type Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { assertBlobKey, isBlobKey } from './blob-key.ts'
import { assertByteRange } from './blob-range.ts'
import type { BlobEntry, BlobStore, ByteRange } from './blob-store.ts'
import { breakWhenStalled, readWhole } from './s3-body.ts'
import { explainS3Fault, isMissingObject, isRangeRefused } from './s3-faults.ts'

export interface S3Settings {
  readonly bucket: string
  /** Undefined: AWS. */
  readonly endpoint?: string | undefined
  readonly region: string
  /** Undefined: where the SDK looks by itself (environment, profile, role of the machine). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  /** The bucket in the path instead of in the host's name. */
  readonly isPathStyle: boolean
  /** Before every key; empty, or with a slash at its end. */
  readonly prefix: string
  readonly limits?: Partial<S3Limits>
}

export interface S3Limits {
  readonly connectMs: number
  /** Until the headers of an answer are there, for each try. */
  readonly answerMs: number
  /** Between two pieces of a body, while somebody wants more. */
  readonly stallMs: number
  /** For all tries of a call together. */
  readonly wholeMs: number
  readonly attempts: number
}

const LIMITS: S3Limits = { connectMs: 3_000, answerMs: 30_000, stallMs: 30_000, wholeMs: 90_000, attempts: 3 }

/** A read whose body breaks off is begun anew that often. */
const READ_ATTEMPTS = 3
const SOCKETS = 100

type Sdk = typeof import('@aws-sdk/client-s3')

/**
 * Blobs in a bucket of anything that speaks S3. Only what all dialects have is used: PUT of a buffer with its MD5, GET with
 * a range, DELETE, and the second form of listing; no conditional writes, no trailing checksums, no multipart.
 */
export class S3Store implements BlobStore {
  readonly description: string
  readonly #settings: S3Settings
  readonly #limits: S3Limits
  #opened: Promise<{ client: S3Client; sdk: Sdk }> | undefined

  constructor(settings: S3Settings) {
    this.#settings = settings
    this.#limits = { ...LIMITS, ...settings.limits }
    const { endpoint, bucket, prefix } = settings
    this.description = `S3 ${bucket}${prefix === '' ? '' : `/${prefix.slice(0, -1)}`} at ${endpoint ?? `AWS ${settings.region}`}`
  }

  async put(key: string, bytes: Uint8Array, contentType: string): Promise<void> {
    const at = this.#at(key)
    await this.#call(({ client, sdk }, signal) =>
      client.send(
        new sdk.PutObjectCommand({
          ...at,
          Body: bytes,
          ContentLength: bytes.length,
          ContentType: contentType,
          // All of them compare it, also over plain HTTP; the newer checksums are not known to all.
          ContentMD5: createHash('md5').update(bytes).digest('base64'),
          Metadata: { sha256: createHash('sha256').update(bytes).digest('hex') },
        }),
        { abortSignal: signal },
      ),
    )
  }

  async read(key: string): Promise<Buffer | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const body = await this.#get(key, {})
      if (body === undefined) {
        return undefined
      }
      try {
        return await readWhole(body)
      } catch (error) {
        if (attempt === READ_ATTEMPTS) {
          throw this.#explain(error)
        }
      }
    }
  }

  async open(key: string, options: { range?: ByteRange; signal?: AbortSignal } = {}): Promise<Readable | undefined> {
    const { range, signal } = options
    signal?.throwIfAborted()
    if (range !== undefined) {
      assertByteRange(range)
    }
    const body = await this.#get(key, options)
    return body === undefined || signal === undefined ? body : addAbortSignal(signal, body)
  }

  async remove(key: string): Promise<void> {
    const at = this.#at(key)
    try {
      await this.#call(({ client, sdk }, signal) =>
        client.send(new sdk.DeleteObjectCommand(at), { abortSignal: signal }),
      )
    } catch (error) {
      // Most answer 204 for what is not there, some 404.
      if (!isMissingObject(causeOf(error))) {
        throw error
      }
    }
  }

  async *list(prefix: string): AsyncIterable<BlobEntry> {
    const { bucket, prefix: own } = this.#settings
    let from: string | undefined
    do {
      const token = from
      const page = await this.#call(({ client, sdk }, signal) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket: bucket,
            Prefix: own + prefix,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          { abortSignal: signal },
        ),
      )
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        const key = Key?.slice(own.length) ?? ''
        if (isBlobKey(key)) {
          yield { key, sizeBytes: Size ?? 0, modifiedAt: LastModified ?? new Date() }
        }
      }
      from = page.IsTruncated === true ? page.NextContinuationToken : undefined
    } while (from !== undefined)
  }

  /** Nothing: what a killed writer had begun, S3 has never shown to anybody. */
  async tidy(): Promise<void> {}

  async check(): Promise<void> {
    const key = `images/check/${randomBytes(8).toString('hex')}`
    const bytes = randomBytes(64)
    try {
      await this.put(key, bytes, 'application/octet-stream')
      const found = await this.read(key)
      await this.remove(key)
      if (found === undefined || !bytes.equals(found)) {
        throw new Error('it does not give back what was written')
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`Images cannot be kept on ${this.description}: ${reason}`, { cause: error })
    }
  }

  async close(): Promise<void> {
    const opened = await this.#opened
    opened?.client.destroy()
  }

  #at(key: string): { Bucket: string; Key: string } {
    assertBlobKey(key)
    return { Bucket: this.#settings.bucket, Key: this.#settings.prefix + key }
  }

  /** The body of an object or of a part of it. Undefined: there is no such object. */
  async #get(
    key: string,
    { range, signal }: { range?: ByteRange; signal?: AbortSignal },
  ): Promise<Readable | undefined> {
    const at = this.#at(key)
    try {
      const answer = await this.#call(
        ({ client, sdk }, abortSignal) =>
          client.send(
            new sdk.GetObjectCommand({
              ...at,
              ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }),
            }),
            { abortSignal },
          ),
        signal,
      )
      const { Body: body, ContentRange: given = '' } = answer
      if (!(body instanceof IncomingMessage)) {
        throw new Error('the answer has no body')
      }
      if (range !== undefined && !given.startsWith(`bytes ${range.start}-`)) {
        body.destroy()
        throw this.#explain(
          new Error(`bytes ${range.start}-${range.end} were asked for, and it sent ${given || 'all'}`),
        )
      }
      return breakWhenStalled(body, this.#limits.stallMs)
    } catch (error) {
      if (isMissingObject(causeOf(error))) {
        return undefined
      }
      if (range !== undefined && isRangeRefused(causeOf(error))) {
        throw new RangeError(`There are no bytes ${range.start}-${range.end}.`, { cause: error })
      }
      throw error
    }
  }

  /** One call with its retries, within its time. */
  async #call<T>(
    work: (opened: { client: S3Client; sdk: Sdk }, signal: AbortSignal) => Promise<T>,
    caller?: AbortSignal,
  ): Promise<T> {
    const opened = await this.#open()
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), this.#limits.wholeMs)
    try {
      return await work(opened, caller === undefined ? deadline.signal : AbortSignal.any([caller, deadline.signal]))
    } catch (error) {
      caller?.throwIfAborted()
      throw this.#explain(
        deadline.signal.aborted ? new Error(`no answer within ${this.#limits.wholeMs} ms`, { cause: error }) : error,
      )
    } finally {
      clearTimeout(timer)
    }
  }

  #explain(error: unknown): Error {
    return new Error(`${this.description}: ${explainS3Fault(error, this.#settings.bucket)}`, { cause: error })
  }

  /** The SDK is large: it is loaded with the first call. */
  #open(): Promise<{ client: S3Client; sdk: Sdk }> {
    this.#opened ??= import('@aws-sdk/client-s3').then((sdk) => ({
      sdk,
      client: createClient(sdk, this.#settings, this.#limits),
    }))
    return this.#opened
  }
}

function createClient(sdk: Sdk, settings: S3Settings, limits: S3Limits): S3Client {
  const { endpoint, region, credentials, isPathStyle } = settings
  return new sdk.S3Client({
    region,
    forcePathStyle: isPathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: limits.attempts,
    requestHandler: {
      connectionTimeout: limits.connectMs,
      requestTimeout: limits.answerMs,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: SOCKETS },
    },
  })
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}
