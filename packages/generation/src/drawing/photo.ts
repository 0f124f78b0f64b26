import { createCanvas } from '@napi-rs/canvas'
import { darken, fade, lighten, mix } from './color.ts'
import { createNoise, createRange, type Random } from './random.ts'
import { below, disc, glow, linear, type Point, polygon, type Scene, softly, stars, vertical, vignette } from './scene.ts'

interface Light {
  /** From the zenith to the horizon. */
  readonly sky: readonly string[]
  readonly sun: string
  readonly haze: string
  /** The nearest land. */
  readonly land: string
  readonly isNight: boolean
}

const LIGHTS: readonly Light[] = [
  { sky: ['#1b2450', '#53407e', '#b5587f', '#f08a6b', '#fbc58b'], sun: '#ffe2a8', haze: '#e39a86', land: '#15142b', isNight: false },
  { sky: ['#2f6ea8', '#6ea3c8', '#b4cfdb', '#f3dcc3', '#fbe3c0'], sun: '#fff3d6', haze: '#cfd6d6', land: '#16302f', isNight: false },
  { sky: ['#0a1330', '#142a56', '#27497c', '#4f76a0', '#8fa9bd'], sun: '#f4f1e2', haze: '#5c7b9c', land: '#060d1c', isNight: true },
  { sky: ['#3a4f7a', '#7d7fa8', '#c9a0b0', '#f0c0a8', '#fbe2c0'], sun: '#fff0d0', haze: '#d9b3b0', land: '#231f38', isNight: false },
  { sky: ['#123a4d', '#1f6672', '#58a08f', '#c3cf98', '#f6dfa0'], sun: '#fff1b8', haze: '#9fbf9f', land: '#0b2327', isNight: false },
  { sky: ['#401f3f', '#8a2f4b', '#d4553f', '#f28b3c', '#fdc75c'], sun: '#fff0b0', haze: '#e58a4a', land: '#1c0d1b', isNight: false },
]

/** A landscape in late light: a mountain lake, misty forest hills, or a coast. */
export function drawPhoto(scene: Scene): void {
  const light = scene.random.pick(LIGHTS)
  const variant = scene.random.pick(['lake', 'forest', 'coast'] as const)
  const horizon = scene.height * (variant === 'forest' ? 0.86 : scene.random.between(0.56, 0.64))
  const sun = {
    x: scene.width * scene.random.between(0.28, 0.76),
    y: scene.height * (light.isNight ? scene.random.between(0.14, 0.24) : scene.random.between(0.3, 0.44)),
  }
  paintSky(scene, light, horizon, sun)
  if (variant !== 'forest') paintRidges(scene, light, { horizon, sun, layers: variant === 'lake' ? 4 : 2, isLow: variant === 'coast' })
  else paintForest(scene, light, sun)
  if (variant !== 'forest') {
    paintWater(scene, light, horizon, sun)
    paintShore(scene, light)
  }
  vignette(scene, 0.34)
}

function paintSky(scene: Scene, light: Light, horizon: number, sun: Point): void {
  const { context, width, height, unit, random } = scene
  context.fillStyle = vertical(context, 0, horizon, light.sky)
  context.fillRect(0, 0, width, height)
  if (light.isNight) stars(scene, 320, horizon)
  const far = Math.max(width, height)
  softly(scene, { scale: 0.25, blend: 'screen' }, (soft) => {
    glow(soft, sun, far * 0.62, mix(light.sun, light.haze, 0.5), 0.6)
    glow(soft, sun, far * 0.24, light.sun, 0.75)
  })
  paintClouds(scene, light, horizon, sun)
  context.fillStyle = lighten(light.sun, 0.55)
  disc(context, sun, (light.isNight ? 30 : 36) * unit)
  if (light.isNight) {
    for (let crater = 0; crater < 7; crater += 1) {
      const place = { x: sun.x + random.between(-18, 18) * unit, y: sun.y + random.between(-18, 18) * unit }
      context.fillStyle = 'rgba(120, 130, 150, 0.22)'
      disc(context, place, random.between(2, 7) * unit)
    }
  }
}

function paintClouds(scene: Scene, light: Light, horizon: number, sun: Point): void {
  const { random, width, unit } = scene
  softly(scene, { scale: 0.25, blur: 9 * unit, opacity: 0.8 }, (soft) => {
    for (let bank = 0; bank < 9; bank += 1) {
      const y = horizon * random.between(0.12, 0.78)
      const x = random.between(-0.1, 1.1) * width
      const length = random.between(110, 340) * unit
      const lit = Math.max(0, 1 - Math.abs(x - sun.x) / (width * 0.6))
      for (let puff = 0; puff < 16; puff += 1) {
        const offset = random.between(-1, 1)
        const tall = (1 - offset * offset) * random.between(3, 17) * unit
        const shade = mix(mix(light.haze, light.sky[1] ?? light.haze, 0.45), light.sun, lit * random.between(0.2, 0.9))
        soft.fillStyle = fade(shade, 0.2)
        soft.beginPath()
        soft.ellipse(x + offset * length, y + random.between(-13, 13) * unit, length * random.between(0.1, 0.5), tall, 0, 0, Math.PI * 2)
        soft.fill()
      }
    }
  })
}

function ridgeLine(scene: Scene, options: { base: number; rise: number; scale: number; isSharp: boolean }): Point[] {
  const noise = options.isSharp ? createRange(scene.random) : createNoise(scene.random, 4)
  const shift = scene.random.between(0, 90)
  const step = 3 * scene.unit
  const line: Point[] = []
  for (let x = -step; x <= scene.width + step * 2; x += step) {
    const value = noise(shift + x / (options.scale * scene.unit))
    const shaped = options.isSharp ? value : value * 0.5 + 0.5
    line.push({ x, y: options.base - Math.max(0.03, shaped) * options.rise })
  }
  return line
}

function paintRidges(
  scene: Scene,
  light: Light,
  options: { horizon: number; sun: Point; layers: number; isLow: boolean },
): void {
  const { context, height, random } = scene
  for (let layer = 0; layer < options.layers; layer += 1) {
    const depth = layer / Math.max(1, options.layers - 1)
    const rise = options.isLow ? height * 0.1 * (1 - depth * 0.4) : height * (0.3 - 0.2 * depth)
    const isSharp = !options.isLow && depth < 0.7
    const line = ridgeLine(scene, { base: options.horizon + 2, rise, scale: isSharp ? random.between(95, 150) : random.between(170, 300), isSharp })
    const far = mix(light.haze, light.sky[2] ?? light.haze, 0.35)
    const tone = mix(far, light.land, 0.16 + depth * 0.62)
    below(context, line, options.horizon + 3)
    context.fillStyle = vertical(context, options.horizon - rise, options.horizon, [tone, mix(tone, light.haze, 0.62 - depth * 0.3)])
    context.fill()
    if (isSharp) paintFacets(scene, line, { tone: lighten(mix(tone, light.sun, 0.55), 0.1), sun: options.sun, bottom: options.horizon })
  }
}

/** Light on the flanks that face the sun. */
function paintFacets(scene: Scene, line: readonly Point[], options: { tone: string; sun: Point; bottom: number }): void {
  const { context, unit, random } = scene
  context.save()
  below(context, line, options.bottom)
  context.clip()
  for (let index = 4; index < line.length - 4; index += 2) {
    const here = line[index]
    const before = line[index - 4]
    const after = line[index + 4]
    if (!here || !before || !after || here.y > before.y || here.y > after.y) continue
    const side = options.sun.x > here.x ? 1 : -1
    const fall = random.between(60, 130) * unit
    polygon(context, [
      { x: here.x, y: here.y - 2 },
      { x: here.x + side * fall * 0.75, y: here.y + fall * 0.62 },
      { x: here.x + side * fall * 0.34, y: here.y + fall * 0.5 },
      { x: here.x + side * fall * 0.22, y: here.y + fall },
      { x: here.x + side * fall * 0.06, y: here.y + fall * 0.45 },
    ])
    context.fillStyle = linear(context, here, { x: here.x, y: here.y + fall }, [fade(options.tone, 0.34), fade(options.tone, 0)])
    context.fill()
  }
  context.restore()
}

function paintForest(scene: Scene, light: Light, sun: Point): void {
  const { context, height, unit, random } = scene
  const far = ridgeLine(scene, { base: height * 0.62, rise: height * 0.22, scale: 150, isSharp: true })
  below(context, far, height)
  context.fillStyle = vertical(context, height * 0.4, height * 0.66, [mix(light.haze, light.sky[1] ?? light.land, 0.5), lighten(light.haze, 0.12)])
  context.fill()
  for (let layer = 0; layer < 5; layer += 1) {
    const depth = layer / 4
    const base = height * (0.62 + depth * 0.3)
    const line = ridgeLine(scene, { base, rise: height * 0.13, scale: random.between(260, 420), isSharp: false })
    const tone = mix(mix(light.haze, light.land, 0.3), darken(light.land, 0.15), depth ** 0.8)
    const tall = (16 + 78 * depth ** 1.4) * unit
    context.fillStyle = tone
    const gap = Math.max(1, Math.round((tall * 0.2) / (3 * unit)))
    for (let index = 0; index < line.length; index += gap) {
      const foot = line[index]
      if (foot) pine(context, random, { x: foot.x + random.between(-3, 3) * unit, y: foot.y + tall * 0.16 }, tall * random.between(0.55, 1.15))
    }
    below(context, line, height)
    context.fillStyle = vertical(context, base - height * 0.13, base + height * 0.12, [tone, mix(tone, light.haze, 0.55 * (1 - depth * 0.75))])
    context.fill()
    if (layer < 4) softly(scene, { scale: 0.125, opacity: 0.55 - depth * 0.3 }, (soft) => glow(soft, { x: sun.x, y: base }, height * 0.5, lighten(light.haze, 0.25), 0.6))
  }
}

function pine(context: Scene['context'], random: Random, foot: Point, tall: number): void {
  const tiers = 5
  const left: Point[] = []
  const right: Point[] = []
  for (let tier = 1; tier <= tiers; tier += 1) {
    const y = foot.y - tall + (tall * tier) / tiers
    const half = tall * 0.2 * (tier / tiers) * random.between(0.8, 1.15)
    left.push({ x: foot.x - half, y }, { x: foot.x - half * 0.5, y: y - tall * 0.035 })
    right.push({ x: foot.x + half, y }, { x: foot.x + half * 0.5, y: y - tall * 0.035 })
  }
  polygon(context, [{ x: foot.x, y: foot.y - tall }, ...left, ...right.reverse()])
  context.fill()
}

function paintWater(scene: Scene, light: Light, horizon: number, sun: Point): void {
  const { context, width, height, unit, random } = scene
  const mirror = createCanvas(Math.ceil(width / 2), Math.ceil((height - horizon) / 2))
  const flipped = mirror.getContext('2d')
  flipped.scale(0.5, -0.5)
  flipped.drawImage(context.canvas, 0, -horizon, width, height)
  context.save()
  const noise = createNoise(random, 3)
  let y = horizon
  while (y < height) {
    const depth = (y - horizon) / (height - horizon)
    const band = Math.max(1, (1 + depth * 7) * unit)
    const sway = noise(y / (5 + depth * 16) / unit) * (1 + depth * 22) * unit
    const source = Math.min(mirror.height - 1, (y - horizon) / 2)
    context.drawImage(mirror, 0, source, mirror.width, Math.min(mirror.height - source, band / 2 + 1), sway - 24 * unit, y, width + 48 * unit, band + 1)
    y += band
  }
  const deep = mix(light.land, light.sky[0] ?? light.land, 0.45)
  context.fillStyle = vertical(context, horizon, height, [fade(light.haze, 0.22), fade(deep, 0.34), fade(deep, 0.82)])
  context.fillRect(0, horizon, width, height - horizon)
  context.globalCompositeOperation = 'screen'
  for (let spark = 0; spark < 260; spark += 1) {
    const depth = random.next() ** 1.5
    const spread = (10 + depth * 105) * unit
    const x = sun.x + (random.next() + random.next() - 1) * spread
    const length = (5 + depth * 34) * unit * random.between(0.4, 1)
    context.fillStyle = fade(light.sun, random.between(0.15, 0.75) * (1 - depth * 0.75))
    context.fillRect(x - length / 2, horizon + 3 + depth * (height - horizon) * 0.95, length, Math.max(1, (0.8 + depth * 1.6) * unit))
  }
  context.restore()
}

/** Dark land in front, with a few pines. */
function paintShore(scene: Scene, light: Light): void {
  const { context, width, height, unit, random } = scene
  const side = random.pick([0, 1])
  const noise = createNoise(random, 5)
  const line: Point[] = []
  for (let x = -4; x <= width + 8; x += 4) {
    const near = Math.abs(x / width - side)
    line.push({ x, y: height * (0.965 - 0.11 * Math.max(0, 0.62 - near)) + noise(x / (90 * unit)) * 10 * unit + near * 20 * unit })
  }
  context.fillStyle = darken(light.land, 0.25)
  for (const foot of line) {
    const near = Math.abs(foot.x / width - side)
    if (near < 0.4 && random.chance(0.2 * (1 - near * 2))) {
      pine(context, random, { x: foot.x, y: foot.y + 12 * unit }, random.between(90, 270) * unit * (1 - near * 1.3))
    }
  }
  below(context, line, height)
  context.fill()
}
