export {
  type AttemptEnd,
  closeAttempt,
  countAttempts,
  noteJob,
  openAttempt,
  resumeAttempt,
} from './attempts.ts'
export { type ClaimedImage, claimImage, type RouteCandidate } from './claim.ts'
export {
  type ClaimedDelivery,
  claimDeliveries,
  type DeliveryLine,
  disableWebhook,
  endDelivery,
  findDelivery,
  giveUpDeliveries,
  hasDueDeliveries,
  listDeliveries,
  postponeDelivery,
  pruneDeliveries,
  retryDelivery,
} from './deliveries.ts'
export {
  decodeCheck,
  decodeWhole,
  type EncodedImage,
  encodeImage,
  ImageDecodeError,
  type StoredContentType,
} from './encode.ts'
export { forgetImages } from './forget.ts'
export {
  addGarbage,
  dueGarbage,
  findWaitingReferences,
  forgetGarbage,
  postponeGarbage,
  releaseReferences,
  type WaitingReferences,
} from './garbage.ts'
export { type CallCount, countLastCalls, countLastReady } from './last-minute.ts'
export {
  type DueImage,
  findDue,
  findExpiredLeases,
  findOverdue,
  makeReady,
  renewLeases,
  requeueImage,
  retryNow,
} from './life-cycle.ts'
export { findOriginals, findPromisedSize, type OldOriginal, replaceOriginal } from './originals.ts'
export { claimPrompt, findPrompt, type PromptRow, storePrompt } from './prompts.ts'
export { type QueueFigures, readQueueFigures } from './queue-figures.ts'
export {
  adoptImages,
  countRefusals,
  type ErasableRequest,
  type Erasure,
  eraseImage,
  expireImages,
  listErasable,
} from './removal.ts'
export {
  type BreakerFigures,
  changeRoute,
  countRoom,
  listRouteStates,
  type RouteChange,
  type RouteState,
  type RouteVerdict,
  reportRoute,
  resumeRoute,
  wakeRoute,
} from './route-states.ts'
export {
  type FinishedRow,
  findFinished,
  findImage,
  findImageDetails,
  findImageStatus,
  findOwnedImage,
  findReplay,
  findRequestImages,
  type ImageDetails,
  type ImageFilter,
  type ImageRow,
  type ImageStatusRow,
  listImages,
  matchReplay,
  type OwnedImage,
  removeOldIdempotencyKeys,
} from './rows.ts'
export {
  countStoredImages,
  findStoredImages,
  findUnnamedObjects,
  giveUpImage,
  listStoredImages,
  type StoredImage,
} from './stored-objects.ts'
