import type { ByteRange } from './blob-store.ts'

/** Throws a RangeError for what no HTTP server would answer with 206. An end past the last byte is fine. */
export function assertByteRange({ start, end }: ByteRange, sizeBytes: number = Number.POSITIVE_INFINITY): void {
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && start < sizeBytes)) {
    throw new RangeError(`There are no bytes ${start}-${end} of ${sizeBytes}.`)
  }
}
