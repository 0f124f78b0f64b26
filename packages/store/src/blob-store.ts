import type { Readable } from 'node:stream'

/** Inclusive byte positions, as in an HTTP Range header. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** An object as a listing has it. */
export interface BlobEntry {
  readonly key: string
  readonly sizeBytes: number
  readonly modifiedAt: Date
}

/** Where the bytes of images are kept. Keys are made by us: `images/ab/v2-…/3.jpg`; anything else is refused. */
export interface BlobStore {
  /** Short name for the banner and the logs, such as `disk /var/lib/wombat/blobs`. */
  readonly description: string
  /** Durable when it returns. The same key may be written again with other bytes; a reader sees the old or the new whole. */
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>
  /** All bytes, or undefined when there is no such object. */
  read(key: string): Promise<Buffer | undefined>
  /** A stream of all bytes or of a range, or undefined when there is no such object. Aborting the signal destroys it. */
  open(key: string, options?: { range?: ByteRange; signal?: AbortSignal }): Promise<Readable | undefined>
  /** Succeeds when the object is gone, whether it was there or not. */
  remove(key: string): Promise<void>
  /**
   * The objects whose keys begin with the text, in the order of their keys, in pieces that fit in memory. Of what is put
   * or removed meanwhile it may show either state.
   */
  list(prefix: string): AsyncIterable<BlobEntry>
  /** Removes what killed writers left behind. Worth a call now and then, from any process. */
  tidy(): Promise<void>
  /** Writes, reads and removes a small object; throws with the reason when that fails. */
  check(): Promise<void>
  /** Ends its connections, if it has any. */
  close(): Promise<void>
}
