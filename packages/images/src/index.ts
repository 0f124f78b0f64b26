export { closeAttempt, openAttempt, countAttempts, type AttemptEnd } from './attempts.ts'
export { decodeCheck, decodeWhole, type EncodedImage, encodeImage, ImageDecodeError, type StoredContentType } from './encode.ts'
export { addGarbage, dueGarbage, forgetGarbage } from './garbage.ts'
export {
  type ClaimedImage,
  claimImage,
  findDue,
  findExpiredLeases,
  type DueImage,
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
  findReplay,
  findRequestImages,
  type ImageDetails,
  type ImageRow,
  type ImageStatusRow,
  findImageStatus,
  listImages,
  removeOldIdempotencyKeys,
} from './rows.ts'
