import type { ProviderRequest } from '@wombat/generation'

/** A plain request to a provider; tests change what they are about. */
export const PROVIDER_REQUEST: ProviderRequest = {
  imageId: 'v2-aaaaaaaaa-bbbbbbbbb',
  model: 'gpt-image-2',
  quality: 'fast',
  style: 'photo',
  prompt: 'a red fox',
  originalPrompt: 'fox',
  width: 1536,
  height: 1024,
  index: 0,
  isOriginalPreserved: false,
  references: [],
  referenceUrls: [],
  ageMs: 0,
  onJob: async () => {},
  endUser: 'user-hash',
}
