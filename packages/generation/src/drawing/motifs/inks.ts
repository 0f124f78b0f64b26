export interface Inks {
  readonly sky: string
  readonly sun: string
  readonly hills: readonly string[]
  readonly leaves: readonly string[]
  readonly walls: readonly string[]
  readonly ink: string
}

export const INKS: readonly Inks[] = [
  {
    sky: '#f7e3c3',
    sun: '#e4572e',
    hills: ['#e9b872', '#a6a15e', '#6a994e', '#386641', '#23412f'],
    leaves: ['#bc4749', '#f2a541', '#386641', '#6a994e'],
    walls: ['#fdf6e3', '#f4d6a0', '#e4572e'],
    ink: '#2f2a25',
  },
  {
    sky: '#bfe3e0',
    sun: '#fff3c9',
    hills: ['#8cc7c1', '#5aa7a7', '#3c7f8c', '#2b5a72', '#1d3b53'],
    leaves: ['#f28f79', '#f9c784', '#2b5a72', '#5aa7a7'],
    walls: ['#fff8ec', '#f9c784', '#f28f79'],
    ink: '#14293a',
  },
  {
    sky: '#f6c6b4',
    sun: '#fff0d0',
    hills: ['#ee9c8c', '#d6727a', '#a54e72', '#6d3862', '#40244a'],
    leaves: ['#f7b267', '#f25c54', '#6d3862', '#8fbfa0'],
    walls: ['#fff3e4', '#f7b267', '#f4845f'],
    ink: '#2b1733',
  },
  {
    sky: '#25345d',
    sun: '#f6e7b4',
    hills: ['#3c5085', '#35477a', '#2c3a68', '#222d55', '#161d3d'],
    leaves: ['#5fa8a0', '#e0a458', '#88b7a0', '#43638f'],
    walls: ['#f3e3c3', '#d9825b', '#8ea5c8'],
    ink: '#0f1530',
  },
  {
    sky: '#dfe8c8',
    sun: '#f4b942',
    hills: ['#bcd19a', '#8fb87a', '#5f9a6a', '#3a7560', '#23504c'],
    leaves: ['#e76f51', '#f4a261', '#2a9d8f', '#8ab17d'],
    walls: ['#fffaf0', '#e9c46a', '#e76f51'],
    ink: '#1f3330',
  },
]
