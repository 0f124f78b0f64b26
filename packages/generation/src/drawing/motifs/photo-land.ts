import { fade, lighten, mix } from '../color.ts'
import { createNoise, createRange } from '../random.ts'
import { below, linear, type Point, polygon, type Scene, vertical } from '../scene.ts'
import type { Light } from './light.ts'

export function ridgeLine(
  scene: Scene,
  options: { base: number; rise: number; scale: number; isSharp: boolean },
): Point[] {
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

export function paintRidges(
  scene: Scene,
  light: Light,
  options: { horizon: number; sun: Point; layers: number; isLow: boolean },
): void {
  const { context, height, random } = scene
  for (let layer = 0; layer < options.layers; layer += 1) {
    const depth = layer / Math.max(1, options.layers - 1)
    const rise = options.isLow ? height * 0.1 * (1 - depth * 0.4) : height * (0.3 - 0.2 * depth)
    const isSharp = !options.isLow && depth < 0.7
    const line = ridgeLine(scene, {
      base: options.horizon + 2,
      rise,
      scale: isSharp ? random.between(95, 150) : random.between(170, 300),
      isSharp,
    })
    const far = mix(light.haze, light.sky[2] ?? light.haze, 0.35)
    const tone = mix(far, light.land, 0.16 + depth * 0.62)
    below(context, line, options.horizon + 3)
    context.fillStyle = vertical(context, options.horizon - rise, options.horizon, [
      tone,
      mix(tone, light.haze, 0.62 - depth * 0.3),
    ])
    context.fill()
    if (isSharp) {
      paintFacets(scene, line, {
        tone: lighten(mix(tone, light.sun, 0.55), 0.1),
        sun: options.sun,
        bottom: options.horizon,
      })
    }
  }
}

/** Light on the flanks that face the sun. */
function paintFacets(
  scene: Scene,
  line: readonly Point[],
  options: { tone: string; sun: Point; bottom: number },
): void {
  const { context, unit, random } = scene
  context.save()
  below(context, line, options.bottom)
  context.clip()
  for (let index = 4; index < line.length - 4; index += 2) {
    const here = line[index]
    const before = line[index - 4]
    const after = line[index + 4]
    if (!here || !before || !after || here.y > before.y || here.y > after.y) {
      continue
    }
    const side = options.sun.x > here.x ? 1 : -1
    const fall = random.between(60, 130) * unit
    polygon(context, [
      { x: here.x, y: here.y - 2 },
      { x: here.x + side * fall * 0.75, y: here.y + fall * 0.62 },
      { x: here.x + side * fall * 0.34, y: here.y + fall * 0.5 },
      { x: here.x + side * fall * 0.22, y: here.y + fall },
      { x: here.x + side * fall * 0.06, y: here.y + fall * 0.45 },
    ])
    context.fillStyle = linear(context, here, { x: here.x, y: here.y + fall }, [
      fade(options.tone, 0.34),
      fade(options.tone, 0),
    ])
    context.fill()
  }
  context.restore()
}
