export {
  createLocalEnhancer,
  type Enhanced,
  type EnhanceRequest,
  type PromptEnhancer,
} from './enhancer.ts'
export { type EnhancerGuardOptions, guardEnhancer } from './enhancer-guard.ts'
export { createPoster, type PostAnswer, type Poster } from './fetching/post.ts'
export { createGeminiProvider, GEMINI_IMAGE_MODEL, type GeminiOptions } from './gemini.ts'
export { createIdeogramProvider, type IdeogramOptions } from './ideogram.ts'
export { createKoalaProvider, type KoalaOptions } from './koala.ts'
export { createLeonardoProvider, LEONARDO_IMAGE_MODEL, type LeonardoOptions } from './leonardo.ts'
export { createOpenAiProvider, OPENAI_IMAGE_MODEL, type OpenAiOptions } from './openai.ts'
export { createOpenAiEnhancer, OPENAI_ENHANCER_MODEL, type OpenAiEnhancerOptions } from './openai-enhancer.ts'
export { type PictureType, pictureType } from './picture-type.ts'
export {
  type FailureClass,
  type ImageProvider,
  ProviderError,
  type ProviderImage,
  type ProviderRequest,
  type Reference,
} from './provider.ts'
export { type OpenModel, type OpenRoute, openProviders, type Providers, type ProvidersConfig } from './providers.ts'
export { fetchReferences } from './references.ts'
export { decideRetry, type FailedAttempt, failureOf, type RetryDecision, type RetryPolicy } from './retry.ts'
export {
  ADAPTER_CONCURRENCY,
  ADAPTER_MODELS,
  ADAPTERS,
  type AdapterName,
  type Route,
  type ServedModel,
  serveModels,
  splitByModel,
} from './routes.ts'
export { STYLE_WORDS } from './styles.ts'
export { createSyntheticProvider, type SyntheticOptions } from './synthetic.ts'
