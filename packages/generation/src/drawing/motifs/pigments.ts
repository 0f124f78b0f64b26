export interface Pigments {
  readonly sky: readonly [string, string, string]
  readonly sun: string
  readonly hills: readonly [far: string, near: string]
  readonly accents: readonly string[]
}

export const PIGMENTS: readonly Pigments[] = [
  {
    sky: ['#7fb2d6', '#c9dceb', '#f6d9c0'],
    sun: '#f3a65a',
    hills: ['#8fb0c9', '#2f5266'],
    accents: ['#d9596b', '#e88a5b', '#7a5aa6', '#f0b64f'],
  },
  {
    sky: ['#e79aa6', '#f3c4a8', '#f9e3b8'],
    sun: '#e8604c',
    hills: ['#c79ab8', '#5a3f73'],
    accents: ['#c64b6e', '#e2793f', '#8c4f9f', '#e9a23b'],
  },
  {
    sky: ['#6fc0bd', '#bfe3d2', '#f5ecc4'],
    sun: '#f0b93f',
    hills: ['#86bfa4', '#285e55'],
    accents: ['#2f8f83', '#e06f5a', '#e9b13c', '#5b86c2'],
  },
  {
    sky: ['#8d8fce', '#c9b7e0', '#f4cfd4'],
    sun: '#f5d6a0',
    hills: ['#a497cf', '#3c3a78'],
    accents: ['#6a59b5', '#cf6aa0', '#4e86c9', '#e7a46c'],
  },
  {
    sky: ['#8fbfe8', '#d3e6f2', '#fbf3d9'],
    sun: '#f7c548',
    hills: ['#a3c586', '#3d6b35'],
    accents: ['#e4572e', '#f0a202', '#5b8e7d', '#8e4585'],
  },
]
