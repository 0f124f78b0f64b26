export interface Spell {
  readonly sky: readonly string[]
  readonly aurora: readonly string[]
  readonly moon: string
  readonly land: string
  readonly spark: string
}

export const SPELLS: readonly Spell[] = [
  {
    sky: ['#070b2a', '#15205a', '#2f3f8f', '#6a5fb0'],
    aurora: ['#35f2b4', '#3fc7f5', '#8f6bff'],
    moon: '#f7efd8',
    land: '#0a0c26',
    spark: '#9ff5d8',
  },
  {
    sky: ['#12052e', '#3a1160', '#7a2a86', '#d9628f'],
    aurora: ['#ff7bd0', '#b07bff', '#5fd8ff'],
    moon: '#ffe0ea',
    land: '#14052a',
    spark: '#ffb8ea',
  },
  {
    sky: ['#031a24', '#07414c', '#12786f', '#7cc79a'],
    aurora: ['#c8ff7a', '#4dffb0', '#3fd5ff'],
    moon: '#f3ffe0',
    land: '#031418',
    spark: '#e4ff9a',
  },
  {
    sky: ['#1a0b1e', '#4a1838', '#9a3444', '#f08a4b'],
    aurora: ['#ffd166', '#ff8f5c', '#ff5c8a'],
    moon: '#fff0cf',
    land: '#170714',
    spark: '#ffdf8a',
  },
  {
    sky: ['#0a0a1f', '#1f1c4d', '#463a86', '#9a86cf'],
    aurora: ['#7ad7ff', '#b9a3ff', '#ff9ad5'],
    moon: '#eef0ff',
    land: '#0b0a20',
    spark: '#cfe3ff',
  },
]
