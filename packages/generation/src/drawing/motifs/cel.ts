export interface Cel {
  readonly sky: readonly string[]
  /** Lit, half-lit, shaded. */
  readonly cloud: readonly [string, string, string]
  readonly far: string
  readonly grass: readonly [lit: string, dark: string]
  readonly petal: string
  readonly isNight: boolean
}

export const CELS: readonly Cel[] = [
  {
    sky: ['#1766c7', '#3f97e6', '#8fd0f5', '#e3f6fb'],
    cloud: ['#ffffff', '#dcecfa', '#a9cdec'],
    far: '#5f9fcf',
    grass: ['#8ed14f', '#2b8f4a'],
    petal: '#ffffff',
    isNight: false,
  },
  {
    sky: ['#3b3f96', '#a85aa6', '#f58a7c', '#ffd9a0'],
    cloud: ['#ffe3c2', '#f7a99a', '#b0689f'],
    far: '#9a5f97',
    grass: ['#d78a62', '#5a3b6b'],
    petal: '#ffd0c0',
    isNight: false,
  },
  {
    sky: ['#0d1242', '#24307c', '#4d56ad', '#a08fd0'],
    cloud: ['#b9b8ec', '#7f83cc', '#4a4f9f'],
    far: '#333a82',
    grass: ['#3f6f9a', '#141d4d'],
    petal: '#bfe6ff',
    isNight: true,
  },
  {
    sky: ['#2b8fd0', '#74c4e8', '#c6ecf0', '#fff2dd'],
    cloud: ['#fffdf6', '#f7dfe0', '#cdbfe0'],
    far: '#8fb6d9',
    grass: ['#a7dc75', '#3d9a6e'],
    petal: '#ffb7cf',
    isNight: false,
  },
  {
    sky: ['#0f8a9d', '#4cc0bd', '#b3eacb', '#fff6c9'],
    cloud: ['#fffef2', '#dff2d9', '#9fd3c4'],
    far: '#58a99f',
    grass: ['#b5d957', '#2e8a55'],
    petal: '#fff3a8',
    isNight: false,
  },
]
