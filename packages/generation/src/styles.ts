import type { Style } from '@wombat/contract'

interface StyleWords {
  /** What a prompt gets to be drawn in this style; undefined where the prompt decides alone. */
  readonly phrase: string | undefined
  /** How a sentence about such a picture begins. */
  readonly kind: string
}

export const STYLE_WORDS: Readonly<Record<Style, StyleWords>> = {
  photo: { phrase: 'realistic photograph, natural light, sharp focus, fine detail', kind: 'A photo of' },
  illustration: {
    phrase: 'polished digital illustration, clean shapes, harmonious colors',
    kind: 'An illustration of',
  },
  watercolor: {
    phrase: 'watercolor painting, soft washes, bleeding edges, textured paper',
    kind: 'A watercolor painting of',
  },
  fantasy: {
    phrase: 'epic fantasy art, magical atmosphere, dramatic light, intricate detail',
    kind: 'A fantasy painting of',
  },
  anime: { phrase: 'anime style, clean line art, cel shading, vivid colors', kind: 'An anime drawing of' },
  '3d': { phrase: '3D render, soft studio light, realistic materials, high detail', kind: 'A 3D render of' },
  isometric: { phrase: 'isometric illustration, clean geometry, soft shadows', kind: 'An isometric illustration of' },
  general: { phrase: undefined, kind: 'An image of' },
  none: { phrase: undefined, kind: 'An image of' },
}
