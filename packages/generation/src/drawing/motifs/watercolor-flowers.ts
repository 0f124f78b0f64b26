import { darken, fade, mix } from '../color.ts'
import type { Point, Scene } from '../scene.ts'
import type { Pigments } from './pigments.ts'
import { blob, blooms, wash } from './wash.ts'

export function paintFlowers(scene: Scene, pigments: Pigments): void {
  const { context, width, height, random, unit } = scene
  context.globalAlpha = 0.55
  blooms(scene, {
    count: 9,
    color: pigments.sky[0],
    area: { top: height * 0.1, bottom: height * 0.8 },
    size: 260,
    opacity: 0.3,
  })
  blooms(scene, {
    count: 6,
    color: pigments.sky[2],
    area: { top: height * 0.1, bottom: height * 0.8 },
    size: 260,
    opacity: 0.6,
  })
  context.globalAlpha = 1
  const count = Math.round(9 * Math.max(1, width / height) ** 0.7)
  const flowers = Array.from({ length: count }, (_, index) => ({
    x: width * (0.1 + (0.8 * (index + 0.5)) / count) + random.between(-30, 30) * unit,
    y: height * (0.2 + 0.36 * random.next()),
    radius: random.between(58, 112) * unit,
  }))
  for (const flower of flowers) {
    paintStem(scene, flower, pigments)
  }
  for (const flower of flowers) {
    paintFlower(scene, flower, random.pick(pigments.accents))
  }
}

function paintStem(scene: Scene, flower: Point, pigments: Pigments): void {
  const { context, width, height, random, unit } = scene
  const foot = { x: width / 2 + (flower.x - width / 2) * 0.55 + random.between(-20, 20) * unit, y: height * 1.02 }
  const bend = { x: foot.x + random.between(-30, 30) * unit, y: (flower.y + foot.y) / 2 }
  const green = mix(pigments.hills[1], '#4c8a4a', 0.6)
  context.save()
  context.globalCompositeOperation = 'multiply'
  context.lineCap = 'round'
  for (const [thick, opacity] of [
    [5, 0.28],
    [2.6, 0.42],
  ] as const) {
    context.strokeStyle = fade(green, opacity)
    context.lineWidth = thick * unit
    context.beginPath()
    context.moveTo(flower.x, flower.y)
    context.quadraticCurveTo(bend.x, bend.y, foot.x, foot.y)
    context.stroke()
  }
  context.restore()
  for (let leaf = 0; leaf < 3; leaf += 1) {
    const t = random.between(0.3, 0.85)
    const x = (1 - t) ** 2 * flower.x + 2 * t * (1 - t) * bend.x + t * t * foot.x
    const y = (1 - t) ** 2 * flower.y + 2 * t * (1 - t) * bend.y + t * t * foot.y
    const angle = random.pick([-1, 1]) * random.between(0.5, 1.1) - Math.PI / 2
    petal(
      scene,
      { x, y },
      {
        angle,
        length: random.between(70, 130) * unit,
        breadth: 0.17,
        color: mix(green, random.pick(pigments.accents), 0.18),
      },
    )
  }
}

function paintFlower(scene: Scene, flower: Point & { radius: number }, color: string): void {
  const { random } = scene
  const petals = random.integer(5, 8)
  const turn = random.between(0, Math.PI)
  for (let ring = 0; ring < 2; ring += 1) {
    for (let index = 0; index < petals; index += 1) {
      const angle = turn + ring * 0.4 + ((index + random.between(-0.15, 0.15)) / petals) * Math.PI * 2
      const length = flower.radius * random.between(0.85, 1.1) * (ring === 0 ? 1 : 0.66)
      petal(scene, flower, {
        angle,
        length,
        breadth: 0.36,
        color: mix(color, random.chance(0.5) ? '#ffffff' : darken(color, 0.2), random.between(0, 0.28)),
      })
    }
  }
  blob(scene, flower, flower.radius * 0.15, darken(color, 0.5), 0.9)
}

function petal(
  scene: Scene,
  from: Point,
  options: { angle: number; length: number; breadth: number; color: string },
): void {
  const cos = Math.cos(options.angle)
  const sin = Math.sin(options.angle)
  const outline: Point[] = []
  for (let step = 0; step < 16; step += 1) {
    const t = step < 8 ? step / 8 : (16 - step) / 8
    const side = (step < 8 ? 1 : -1) * Math.sin(Math.PI * t ** 1.25) * options.length * options.breadth
    const reach = t * options.length
    outline.push({ x: from.x + cos * reach - sin * side, y: from.y + sin * reach + cos * side })
  }
  const fill = scene.context.createRadialGradient(from.x, from.y, 0, from.x, from.y, options.length)
  fill.addColorStop(0, fade(darken(options.color, 0.12), 0.95))
  fill.addColorStop(0.45, fade(options.color, 0.5))
  fill.addColorStop(1, fade(options.color, 0.85))
  wash(scene, outline, {
    fill,
    rim: fade(darken(options.color, 0.1), 0.3),
    coats: 2,
    opacity: 0.44,
    amount: options.length * 0.03,
  })
}
