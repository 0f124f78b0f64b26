export { type AttemptEnd, closeAttempt, countAttempts, openAttempt } from './attempts.ts'
export {
  decodeCheck,
  decodeWhole,
  type EncodedImage,
  encodeImage,
  ImageDecodeError,
  type StoredContentType,
} from './encode.ts'
export { addGarbage, dueGarbage, forgetGarbage } from './garbage.ts'
export {
  type ClaimedImage,
  claimImage,
  type DueImage,
  findDue,
  findExpiredLeases,
  makeReady,
  renewLeases,
  requeueImage,
  retryNow,
} from './life-cycle.ts'
export { findOriginals, findPromisedSize, type OldOriginal, replaceOriginal } from './originals.ts'
export { claimPrompt, findPrompt, type PromptRow, storePrompt } from './prompts.ts'
export {
  type FinishedRow,
  findFinished,
  findImage,
  findImageDetails,
  findImageStatus,
  findReplay,
  findRequestImages,
  type ImageDetails,
  type ImageRow,
  type ImageStatusRow,
  listImages,
  removeOldIdempotencyKeys,
} from './rows.ts'
