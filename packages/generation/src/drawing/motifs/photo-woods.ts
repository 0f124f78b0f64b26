import { darken, lighten, mix } from '../color.ts'
import { createNoise, type Random } from '../random.ts'
import { below, glow, type Point, polygon, type Scene, softly, vertical } from '../scene.ts'
import type { Light } from './light.ts'
import { ridgeLine } from './photo-land.ts'

export function paintForest(scene: Scene, light: Light, sun: Point): void {
  const { context, height, unit, random } = scene
  const far = ridgeLine(scene, { base: height * 0.62, rise: height * 0.22, scale: 150, isSharp: true })
  below(context, far, height)
  context.fillStyle = vertical(context, height * 0.4, height * 0.66, [
    mix(light.haze, light.sky[1] ?? light.land, 0.5),
    lighten(light.haze, 0.12),
  ])
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
      if (foot) {
        pine(
          context,
          random,
          { x: foot.x + random.between(-3, 3) * unit, y: foot.y + tall * 0.16 },
          tall * random.between(0.55, 1.15),
        )
      }
    }
    below(context, line, height)
    context.fillStyle = vertical(context, base - height * 0.13, base + height * 0.12, [
      tone,
      mix(tone, light.haze, 0.55 * (1 - depth * 0.75)),
    ])
    context.fill()
    if (layer < 4) {
      softly(scene, { scale: 0.125, opacity: 0.55 - depth * 0.3 }, (soft) =>
        glow(soft, { x: sun.x, y: base }, height * 0.5, lighten(light.haze, 0.25), 0.6),
      )
    }
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

/** Dark land in front, with a few pines. */
export function paintShore(scene: Scene, light: Light): void {
  const { context, width, height, unit, random } = scene
  const side = random.pick([0, 1])
  const noise = createNoise(random, 5)
  const line: Point[] = []
  for (let x = -4; x <= width + 8; x += 4) {
    const near = Math.abs(x / width - side)
    line.push({
      x,
      y: height * (0.965 - 0.11 * Math.max(0, 0.62 - near)) + noise(x / (90 * unit)) * 10 * unit + near * 20 * unit,
    })
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
