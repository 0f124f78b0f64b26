export type { BlobStore, ByteRange } from './blob-store.ts'
export { FsStore } from './fs-store.ts'
