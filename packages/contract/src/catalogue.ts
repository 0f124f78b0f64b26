export type ModelId = 'gpt-image-2' | 'ideogram-3.0' | 'nano-banana-2' | 'standard' | 'premium'

/** What is made and priced. A model that leaves no choice has one too: turbo for ideogram-3.0, otherwise standard. */
export type Quality = 'fast' | 'medium' | 'high' | 'turbo' | 'standard'

export type Plan = 'basic' | 'professional'

export interface QualityEntry {
  readonly name: Quality
  /** What one image costs. */
  readonly credits: number
  /** The least plan that may use it. */
  readonly plan: Plan
}

export interface ModelEntry {
  readonly id: ModelId
  readonly deprecated: boolean
  readonly supportsReferences: boolean
  readonly honoursPreserveOriginal: boolean
  /** Which sizes it makes: NATIVE_SIZES or LISTED_SIZES. */
  readonly sizes: 'native' | 'listed'
  /** The first is the default. */
  readonly qualities: readonly [QualityEntry, ...QualityEntry[]]
  /** Other words for this model's qualities. */
  readonly qualityAliases: Readonly<Record<string, Quality>>
}

export const DEFAULT_MODEL: ModelId = 'gpt-image-2'

const CATALOGUE: Readonly<Record<ModelId, ModelEntry>> = {
  'gpt-image-2': {
    id: 'gpt-image-2',
    deprecated: false,
    supportsReferences: true,
    honoursPreserveOriginal: true,
    sizes: 'native',
    qualities: [
      { name: 'fast', credits: 1, plan: 'basic' },
      { name: 'medium', credits: 8, plan: 'professional' },
      { name: 'high', credits: 20, plan: 'professional' },
    ],
    qualityAliases: { low: 'fast', auto: 'fast', standard: 'fast', hd: 'high' },
  },
  'ideogram-3.0': {
    id: 'ideogram-3.0',
    deprecated: false,
    supportsReferences: false,
    honoursPreserveOriginal: false,
    sizes: 'listed',
    qualities: [{ name: 'turbo', credits: 3, plan: 'professional' }],
    qualityAliases: {},
  },
  'nano-banana-2': {
    id: 'nano-banana-2',
    deprecated: false,
    supportsReferences: true,
    honoursPreserveOriginal: false,
    sizes: 'listed',
    qualities: [{ name: 'standard', credits: 5, plan: 'professional' }],
    qualityAliases: {},
  },
  standard: {
    id: 'standard',
    deprecated: true,
    supportsReferences: false,
    honoursPreserveOriginal: false,
    sizes: 'listed',
    qualities: [{ name: 'standard', credits: 1, plan: 'basic' }],
    qualityAliases: {},
  },
  premium: {
    id: 'premium',
    deprecated: true,
    supportsReferences: false,
    honoursPreserveOriginal: false,
    sizes: 'listed',
    qualities: [{ name: 'standard', credits: 5, plan: 'professional' }],
    qualityAliases: {},
  },
}

/** Everything that is sold, in the vendor's order. */
export const MODELS: readonly ModelEntry[] = Object.values(CATALOGUE)

/** Of all models together. */
export const QUALITY_NAMES: readonly string[] = [
  ...new Set(MODELS.flatMap(({ qualities }) => qualities.map(({ name }) => name))),
]

/** Other names for models, until configuration says otherwise. A model's own name can't be taken by an alias. */
export const DEFAULT_MODEL_ALIASES: Readonly<Record<string, string>> = {
  'gpt-image-1': 'gpt-image-2',
  'ideogram-3': 'ideogram-3.0',
  'ideogram-v3': 'ideogram-3.0',
  'nano-banana': 'nano-banana-2',
}

/** The quality of a request that calls its model by such an alias and names no quality. */
export const ALIAS_DEFAULT_QUALITIES: Readonly<Record<string, Quality>> = {
  'gpt-image-1': 'medium',
}

export function isModelId(text: string): text is ModelId {
  return Object.hasOwn(CATALOGUE, text)
}

export function modelEntry(id: ModelId): ModelEntry {
  return CATALOGUE[id]
}

/** Undefined when the model knows no quality of this name or alias. */
export function findQuality(model: ModelEntry, text: string): QualityEntry | undefined {
  const name = Object.hasOwn(model.qualityAliases, text) ? model.qualityAliases[text] : text
  return model.qualities.find((quality) => quality.name === name)
}

/** Throws when something that is sold has no price, or when the tables contradict each other. Called at start. */
export function assertCatalogue(models: readonly ModelEntry[] = MODELS): void {
  for (const model of models) {
    for (const { name, credits } of model.qualities) {
      if (!Number.isSafeInteger(credits) || credits < 1) {
        throw new Error(`${model.id} at ${name} is sold for ${credits} credits: a price is a positive integer`)
      }
    }
    if (model.qualities.length === 0) {
      throw new Error(`${model.id} is sold without a price: it has no quality`)
    }
    for (const [alias, name] of Object.entries(model.qualityAliases)) {
      if (!model.qualities.some((quality) => quality.name === name)) {
        throw new Error(`${model.id} takes ${alias} for ${name}, which it does not sell`)
      }
    }
  }
}
