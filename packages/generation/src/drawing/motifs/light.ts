export interface Light {
  /** From the zenith to the horizon. */
  readonly sky: readonly string[]
  readonly sun: string
  readonly haze: string
  /** The nearest land. */
  readonly land: string
  readonly isNight: boolean
}

export const LIGHTS: readonly Light[] = [
  {
    sky: ['#1b2450', '#53407e', '#b5587f', '#f08a6b', '#fbc58b'],
    sun: '#ffe2a8',
    haze: '#e39a86',
    land: '#15142b',
    isNight: false,
  },
  {
    sky: ['#2f6ea8', '#6ea3c8', '#b4cfdb', '#f3dcc3', '#fbe3c0'],
    sun: '#fff3d6',
    haze: '#cfd6d6',
    land: '#16302f',
    isNight: false,
  },
  {
    sky: ['#0a1330', '#142a56', '#27497c', '#4f76a0', '#8fa9bd'],
    sun: '#f4f1e2',
    haze: '#5c7b9c',
    land: '#060d1c',
    isNight: true,
  },
  {
    sky: ['#3a4f7a', '#7d7fa8', '#c9a0b0', '#f0c0a8', '#fbe2c0'],
    sun: '#fff0d0',
    haze: '#d9b3b0',
    land: '#231f38',
    isNight: false,
  },
  {
    sky: ['#123a4d', '#1f6672', '#58a08f', '#c3cf98', '#f6dfa0'],
    sun: '#fff1b8',
    haze: '#9fbf9f',
    land: '#0b2327',
    isNight: false,
  },
  {
    sky: ['#401f3f', '#8a2f4b', '#d4553f', '#f28b3c', '#fdc75c'],
    sun: '#fff0b0',
    haze: '#e58a4a',
    land: '#1c0d1b',
    isNight: false,
  },
]
