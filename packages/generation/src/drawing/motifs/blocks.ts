export interface Blocks {
  readonly sky: readonly string[]
  readonly water: string
  /** From the beach to the summit. */
  readonly ground: readonly string[]
  readonly trees: readonly string[]
  readonly roofs: readonly string[]
  readonly walls: string
  readonly window: string
}

export const BLOCKS: readonly Blocks[] = [
  {
    sky: ['#bfe6f2', '#eaf6ee'],
    water: '#4fb3d9',
    ground: ['#f1dca7', '#a5cf6b', '#6fb04f', '#8d8f86', '#f4f7fa'],
    trees: ['#3f8f4f', '#2f7a4d', '#5aa64b'],
    roofs: ['#d9534f', '#e8833a', '#4a6fa5'],
    walls: '#f7ecd8',
    window: '#7fb4d6',
  },
  {
    sky: ['#ffd9c0', '#ffeede'],
    water: '#f2a07b',
    ground: ['#f8d3a2', '#f0a86b', '#d87555', '#a34e56', '#f6e6d8'],
    trees: ['#8a4f5e', '#b5606a', '#6f4560'],
    roofs: ['#5c3d6e', '#c14953', '#3f5e78'],
    walls: '#fff1e0',
    window: '#8c6d9a',
  },
  {
    sky: ['#161b3d', '#33306b'],
    water: '#2c4a94',
    ground: ['#5b5fa8', '#4a7f9c', '#3a8a86', '#5a5d8f', '#c9d3f2'],
    trees: ['#2d7d78', '#256a73', '#3f9486'],
    roofs: ['#e05c8a', '#8f5bd0', '#f09a52'],
    walls: '#7d7fc4',
    window: '#ffd977',
  },
  {
    sky: ['#d8d3f4', '#f6effa'],
    water: '#8fb0f0',
    ground: ['#f3d6e4', '#d9b3e6', '#b58fd8', '#8a75bd', '#ffffff'],
    trees: ['#e58fb5', '#d977a6', '#f0b0c8'],
    roofs: ['#6c5bb0', '#e0729a', '#4f8fc0'],
    walls: '#fff6fb',
    window: '#9cc4f0',
  },
  {
    sky: ['#d9efe6', '#f7f6e6'],
    water: '#58b8ae',
    ground: ['#efe0b5', '#c7d36f', '#8dba63', '#6a8f6a', '#f0f4ea'],
    trees: ['#e08b3c', '#c9602f', '#e8b04a'],
    roofs: ['#37536b', '#b5473c', '#6a4c63'],
    walls: '#fbf3e2',
    window: '#86a9b8',
  },
]
