import { MAX_PROMPT_LENGTH, type Style } from '@wombat/contract'
import { describePicture } from './alt-text.ts'
import { STYLE_WORDS } from './styles.ts'

export interface EnhanceRequest {
  readonly prompt: string
  readonly style: Style
  /** The client sent the style itself. */
  readonly styleGiven: boolean
  /** The prompt may be rewritten. */
  readonly enhance: boolean
  /** Somebody will read the alt text. */
  readonly alt: boolean
}

export interface Enhanced {
  /** What the image model gets. */
  readonly prompt: string
  /** At most 250 characters. */
  readonly alt: string
}

/** Turns what a client wrote into what an image model gets. It never fails: at worst the prompt stays as it was. */
export interface PromptEnhancer {
  readonly name: string
  /** True when it answers at once, without a network. */
  readonly isLocal: boolean
  enhance(request: EnhanceRequest, signal: AbortSignal): Promise<Enhanced>
}

export function createLocalEnhancer(): PromptEnhancer {
  return { name: 'local', isLocal: true, enhance: async (request) => enhanceLocally(request) }
}

/** The prompt with its style phrase, and a sentence made of both. With enhancement off only a style that was sent counts. */
export function enhanceLocally({ prompt, style, styleGiven, enhance }: EnhanceRequest): Enhanced {
  const { phrase, kind } = STYLE_WORDS[enhance || styleGiven ? style : 'none']
  return { prompt: phrase === undefined ? prompt : join(prompt, phrase), alt: describePicture(prompt, kind) }
}

function join(prompt: string, phrase: string): string {
  const isSentence = /[.!?…。！？]["'”’)\]]*$/u.test(prompt)
  const joined = isSentence
    ? `${prompt} ${phrase.charAt(0).toUpperCase()}${phrase.slice(1)}`
    : `${prompt.replace(/[\s,;:]+$/, '')}, ${phrase}`
  return joined.length <= MAX_PROMPT_LENGTH ? joined : prompt
}
