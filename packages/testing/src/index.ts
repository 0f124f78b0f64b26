export { createTestDatabase, type TestDatabase } from './database-fixture.ts'
export { type DistributedParts, openDistributedParts } from './distributed-parts.ts'
export { loadManyImages, type ManyImages } from './many-images.ts'
export { freePort, type RedisFixtureOptions, startRedis, type TestRedis } from './redis-fixture.ts'
export { type S3Fault, type S3Server, startS3 } from './s3.ts'
export { createQuickDirectory, createTemporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts'
export { until } from './until.ts'
export { type GeminiEmulator, type GeminiEmulatorOptions, startGeminiEmulator } from './upstreams/gemini-emulator.ts'
export type { GeminiFault } from './upstreams/gemini-faults.ts'
export {
  type IdeogramEmulator,
  type IdeogramEmulatorOptions,
  startIdeogramEmulator,
} from './upstreams/ideogram-emulator.ts'
export type { IdeogramFault } from './upstreams/ideogram-faults.ts'
export { type KoalaEmulator, type KoalaEmulatorOptions, startKoalaEmulator } from './upstreams/koala-emulator.ts'
export {
  type LeonardoEmulator,
  type LeonardoEmulatorOptions,
  startLeonardoEmulator,
} from './upstreams/leonardo-emulator.ts'
export type { LeonardoFault } from './upstreams/leonardo-faults.ts'
export { type OpenAiEmulator, type OpenAiEmulatorOptions, startOpenAiEmulator } from './upstreams/openai-emulator.ts'
export type { OpenAiFault } from './upstreams/openai-faults.ts'
export { REFUSED_WORD } from './upstreams/openai-rules.ts'
