export interface Studio {
  readonly wall: readonly [top: string, bottom: string]
  readonly floor: readonly [far: string, near: string]
  readonly solids: readonly string[]
  readonly rim: string
}

export const STUDIOS: readonly Studio[] = [
  {
    wall: ['#f6c9b8', '#fbe6d9'],
    floor: ['#f7d8c8', '#e9a995'],
    solids: ['#ef6f6c', '#ffffff', '#465775', '#f2b880', '#56b0a8'],
    rim: '#ffe9d8',
  },
  {
    wall: ['#1d1a3a', '#4a3c86'],
    floor: ['#4a3c86', '#15122b'],
    solids: ['#7c5cff', '#ff6ec7', '#36d6e7', '#ffd166', '#e9e6ff'],
    rim: '#8fd8ff',
  },
  {
    wall: ['#cfe3f2', '#f2f7fb'],
    floor: ['#e6eff6', '#a9c3d9'],
    solids: ['#3a7bd5', '#ffffff', '#ffb347', '#f0647a', '#7ec8a4'],
    rim: '#ffffff',
  },
  {
    wall: ['#d9e8d3', '#f3f4e2'],
    floor: ['#e8ecd2', '#a8bf94'],
    solids: ['#588157', '#f4f1de', '#e07a5f', '#f2cc8f', '#3d5a4a'],
    rim: '#fffbe6',
  },
  {
    wall: ['#2b2d42', '#5d6381'],
    floor: ['#6d7391', '#1f2033'],
    solids: ['#ef233c', '#edf2f4', '#f4a259', '#8d99ae', '#5bc0be'],
    rim: '#ffd9c2',
  },
]
