export type { BlobEntry, BlobStore, ByteRange } from './blob-store.ts'
export { FsStore } from './fs-store.ts'
export { type S3Limits, type S3Settings, S3Store } from './s3-store.ts'
