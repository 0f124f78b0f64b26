import { createCanvas } from '@napi-rs/canvas'
import { fade, lighten, mix } from '../color.ts'
import { createNoise } from '../random.ts'
import { disc, glow, type Point, type Scene, softly, stars, vertical, vignette } from '../scene.ts'
import { LIGHTS, type Light } from './light.ts'
import { paintRidges } from './photo-land.ts'
import { paintForest, paintShore } from './photo-woods.ts'

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
  if (variant !== 'forest') {
    paintRidges(scene, light, { horizon, sun, layers: variant === 'lake' ? 4 : 2, isLow: variant === 'coast' })
  } else {
    paintForest(scene, light, sun)
  }
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
  if (light.isNight) {
    stars(scene, 320, horizon)
  }
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
        soft.ellipse(
          x + offset * length,
          y + random.between(-13, 13) * unit,
          length * random.between(0.1, 0.5),
          tall,
          0,
          0,
          Math.PI * 2,
        )
        soft.fill()
      }
    }
  })
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
    context.drawImage(
      mirror,
      0,
      source,
      mirror.width,
      Math.min(mirror.height - source, band / 2 + 1),
      sway - 24 * unit,
      y,
      width + 48 * unit,
      band + 1,
    )
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
    context.fillRect(
      x - length / 2,
      horizon + 3 + depth * (height - horizon) * 0.95,
      length,
      Math.max(1, (0.8 + depth * 1.6) * unit),
    )
  }
  context.restore()
}
