export { ADMIN } from './admin-operations.ts'
export { isApiKeyShape, newApiKey } from './api-key.ts'
export {
  ALIAS_DEFAULT_QUALITIES,
  assertCatalogue,
  DEFAULT_MODEL,
  DEFAULT_MODEL_ALIASES,
  findQuality,
  isModelId,
  MODELS,
  type ModelEntry,
  type ModelId,
  modelEntry,
  type Plan,
  QUALITY_NAMES,
  type Quality,
  type QualityEntry,
} from './catalogue.ts'
export {
  ApiError,
  type ApiErrorOptions,
  ERROR_STATUS,
  type ErrorBody,
  type ErrorCode,
  type ErrorDetails,
  errorBody,
} from './errors.ts'
export {
  type GenerationBody,
  generationBodySchema,
  MAX_PROMPT_LENGTH,
  MAX_REFERENCE_LENGTH,
  MAX_REFERENCES,
  STYLES,
  type Style,
} from './generation-body.ts'
export {
  type GeneratedImage,
  type GenerationOrder,
  type ModelAliases,
  parseGenerationRequest,
} from './generation-request.ts'
export { type ImageName, newImageId, parseImageName } from './image-id.ts'
export type { ImageFailure, ImageStatus, ImageStatusBody } from './image-status.ts'
export {
  type JsonSchema,
  type OpenApiDocument,
  type OpenApiOperation,
  type OpenApiOptions,
  openApiDocument,
} from './openapi.ts'
export type { Operation } from './operation.ts'
export {
  type Answered,
  type Answering,
  type Input,
  readAnswer,
  readInput,
  type Sending,
  writeAnswer,
} from './operation-wire.ts'
export {
  formatDuration,
  formatSimulation,
  type PostError,
  parseDuration,
  parseSimulation,
  SIMULATE_HEADER,
  type Simulation,
  type SimulationFault,
} from './simulation.ts'
export {
  effectiveSize,
  formatSize,
  LISTED_SIZES,
  NATIVE_SIZES,
  parseSize,
  SIZE_NAMES,
  type Size,
} from './sizes.ts'
export { parseTags, TAGS_HEADER, type Tags, type TagsFault } from './tags.ts'
