import type { SKRSContext2D } from '@napi-rs/canvas'
import { createCanvas } from '@napi-rs/canvas'
import { darken, fade, lighten, mix } from './color.ts'
import { createNoise, createRange, type Random } from './random.ts'
import { type Point, polygon, type Scene } from './scene.ts'

interface Pigments {
  readonly sky: readonly [string, string, string]
  readonly sun: string
  readonly hills: readonly [far: string, near: string]
  readonly accents: readonly string[]
}

const PIGMENTS: readonly Pigments[] = [
  { sky: ['#7fb2d6', '#c9dceb', '#f6d9c0'], sun: '#f3a65a', hills: ['#8fb0c9', '#2f5266'], accents: ['#d9596b', '#e88a5b', '#7a5aa6', '#f0b64f'] },
  { sky: ['#e79aa6', '#f3c4a8', '#f9e3b8'], sun: '#e8604c', hills: ['#c79ab8', '#5a3f73'], accents: ['#c64b6e', '#e2793f', '#8c4f9f', '#e9a23b'] },
  { sky: ['#6fc0bd', '#bfe3d2', '#f5ecc4'], sun: '#f0b93f', hills: ['#86bfa4', '#285e55'], accents: ['#2f8f83', '#e06f5a', '#e9b13c', '#5b86c2'] },
  { sky: ['#8d8fce', '#c9b7e0', '#f4cfd4'], sun: '#f5d6a0', hills: ['#a497cf', '#3c3a78'], accents: ['#6a59b5', '#cf6aa0', '#4e86c9', '#e7a46c'] },
  { sky: ['#8fbfe8', '#d3e6f2', '#fbf3d9'], sun: '#f7c548', hills: ['#a3c586', '#3d6b35'], accents: ['#e4572e', '#f0a202', '#5b8e7d', '#8e4585'] },
]

/** Wet washes on rough paper: misty hills over water, or a loose bunch of flowers. */
export function drawWatercolor(scene: Scene): void {
  const pigments = scene.random.pick(PIGMENTS)
  const variant = scene.random.pick(['hills', 'flowers'] as const)
  const { context, width, height, unit } = scene
  context.fillStyle = '#fbf8f1'
  context.fillRect(0, 0, width, height)
  context.save()
  if (variant === 'hills') {
    deckle(scene, 30 * unit)
    context.clip()
    paintHills(scene, pigments)
  } else {
    paintFlowers(scene, pigments)
  }
  context.restore()
  splatter(scene, pigments, variant === 'hills' ? 18 : 40)
  layPaper(scene)
}

/** The uneven border that masking tape leaves. */
function deckle(scene: Scene, margin: number): void {
  const { width, height, random, unit } = scene
  const corners = [
    { x: margin, y: margin },
    { x: width - margin, y: margin },
    { x: width - margin, y: height - margin },
    { x: margin, y: height - margin },
  ]
  polygon(scene.context, ragged(random, corners, { rounds: 7, amount: 5 * unit }))
}

/** Breaks each edge up again and again, so that it runs as wet paint does. */
function ragged(random: Random, outline: readonly Point[], options: { rounds: number; amount: number }): Point[] {
  let points = [...outline]
  let { amount } = options
  for (let round = 0; round < options.rounds; round += 1) {
    points = points.flatMap((point, index) => {
      const next = points[(index + 1) % points.length] ?? point
      return [
        point,
        { x: (point.x + next.x) / 2 + random.between(-amount, amount), y: (point.y + next.y) / 2 + random.between(-amount, amount) },
      ]
    })
    amount *= 0.62
  }
  return points
}

/** One wash: thin coats with slightly different edges, and a dark rim where the pigment dried. */
function wash(
  scene: Scene,
  outline: readonly Point[],
  options: { fill: SKRSContext2D['fillStyle']; rim: string; coats: number; opacity: number; amount: number; rounds?: number },
): void {
  const { context, random, unit } = scene
  context.save()
  context.globalCompositeOperation = 'multiply'
  context.fillStyle = options.fill
  for (let coat = 0; coat < options.coats; coat += 1) {
    context.globalAlpha = options.opacity
    polygon(context, ragged(random, outline, { rounds: options.rounds ?? 2, amount: options.amount }))
    context.fill()
  }
  context.globalAlpha = 1
  context.strokeStyle = options.rim
  context.lineWidth = 1.1 * unit
  context.stroke()
  context.restore()
}

function paintHills(scene: Scene, pigments: Pigments): void {
  const { context, width, height, random, unit } = scene
  const shore = height * random.between(0.64, 0.7)
  const skyWash = context.createLinearGradient(0, 0, 0, shore)
  for (const [index, color] of pigments.sky.entries()) skyWash.addColorStop(index / 2, color)
  context.fillStyle = skyWash
  context.fillRect(0, 0, width, height)
  const sun = { x: width * random.between(0.25, 0.75), y: height * random.between(0.24, 0.36) }
  blooms(scene, { count: 16, color: '#ffffff', area: { top: 0, bottom: shore * 0.8 }, size: 150, opacity: 0.34 })
  blooms(scene, { count: 7, color: pigments.sky[0], area: { top: 0, bottom: shore * 0.4 }, size: 130, opacity: 0.26 })
  blob(scene, sun, 58 * unit, lighten(pigments.sun, 0.5), 0.5)
  blob(scene, sun, 46 * unit, pigments.sun, 0.5)
  const layers = 5
  for (let layer = 0; layer < layers; layer += 1) {
    const depth = layer / (layers - 1)
    const noise = layer < 3 ? createRange(random) : createNoise(random, 4)
    const rise = height * (0.3 - depth * 0.21)
    const base = shore + depth * height * 0.05
    const line: Point[] = []
    for (let x = -20; x <= width + 20; x += 9 * unit) {
      const value = layer < 3 ? noise(x / (150 * unit)) : noise(x / (190 * unit)) * 0.5 + 0.5
      line.push({ x, y: base - value * rise })
    }
    const color = mix(pigments.hills[0], pigments.hills[1], depth * 0.9)
    const fill = context.createLinearGradient(0, base - rise, 0, base + height * 0.03)
    fill.addColorStop(0, fade(color, 0.95))
    fill.addColorStop(0.55, fade(color, 0.6))
    fill.addColorStop(1, fade(lighten(color, 0.45), 0.12))
    const outline = [...line, { x: width + 20, y: base + 20 * unit }, { x: -20, y: base + 20 * unit }]
    wash(scene, outline, { fill, rim: fade(darken(color, 0.15), 0.3), coats: 3, opacity: 0.42, amount: 4 * unit })
  }
  paintWater(scene, pigments, shore + height * 0.05)
}

function paintWater(scene: Scene, pigments: Pigments, shore: number): void {
  const { context, width, height, random, unit } = scene
  context.fillStyle = fade('#fbf8f1', 0.8)
  context.fillRect(0, shore, width, height - shore)
  const fill = context.createLinearGradient(0, shore, 0, height)
  fill.addColorStop(0, fade(mix(pigments.sky[2], pigments.sky[0], 0.35), 0.7))
  fill.addColorStop(1, fade(mix(pigments.sky[0], pigments.hills[1], 0.4), 1))
  const outline = [{ x: -20, y: shore }, { x: width + 20, y: shore }, { x: width + 20, y: height + 20 }, { x: -20, y: height + 20 }]
  wash(scene, outline, { fill, rim: fade(pigments.hills[1], 0.12), coats: 2, opacity: 0.5, amount: 3 * unit, rounds: 5 })
  context.save()
  context.globalCompositeOperation = 'multiply'
  for (let stroke = 0; stroke < 34; stroke += 1) {
    const depth = random.next() ** 1.4
    const y = shore + depth * (height - shore)
    const x = random.between(-0.1, 1) * width
    const length = random.between(60, 260) * unit * (0.5 + depth)
    const thick = (1.5 + depth * 7) * unit
    context.fillStyle = fade(mix(pigments.hills[0], pigments.hills[1], depth), random.between(0.1, 0.26))
    context.beginPath()
    context.moveTo(x, y)
    context.quadraticCurveTo(x + length / 2, y - thick, x + length, y + random.between(-2, 2) * unit)
    context.quadraticCurveTo(x + length / 2, y + thick, x, y)
    context.fill()
  }
  context.restore()
}

/** A soft round spot with an uneven outline. */
function blob(scene: Scene, center: Point, radius: number, color: string, opacity: number): void {
  const outline = Array.from({ length: 18 }, (_, index) => {
    const angle = (index / 18) * Math.PI * 2
    const reach = radius * scene.random.between(0.92, 1.06)
    return { x: center.x + Math.cos(angle) * reach, y: center.y + Math.sin(angle) * reach }
  })
  wash(scene, outline, { fill: color, rim: fade(color, 0.32), coats: 3, opacity: opacity * 0.55, amount: radius * 0.06 })
}

/** Clear water dropped into wet paint: pale or dark flowers with soft edges. */
function blooms(
  scene: Scene,
  options: { count: number; color: string; area: { top: number; bottom: number }; size: number; opacity: number },
): void {
  const { context, random, width, unit } = scene
  for (let index = 0; index < options.count; index += 1) {
    const x = random.between(0, width)
    const y = random.between(options.area.top, options.area.bottom)
    const radius = options.size * unit * random.between(0.35, 1)
    const gradient = context.createRadialGradient(x, y, 0, x, y, radius)
    gradient.addColorStop(0, fade(options.color, options.opacity))
    gradient.addColorStop(0.7, fade(options.color, options.opacity * 0.55))
    gradient.addColorStop(1, fade(options.color, 0))
    context.fillStyle = gradient
    context.save()
    context.translate(x, y)
    context.scale(random.between(1.2, 2.2), random.between(0.4, 0.8))
    context.translate(-x, -y)
    context.fillRect(x - radius, y - radius, radius * 2, radius * 2)
    context.restore()
  }
}

function paintFlowers(scene: Scene, pigments: Pigments): void {
  const { context, width, height, random, unit } = scene
  context.globalAlpha = 0.55
  blooms(scene, { count: 9, color: pigments.sky[0], area: { top: height * 0.1, bottom: height * 0.8 }, size: 260, opacity: 0.3 })
  blooms(scene, { count: 6, color: pigments.sky[2], area: { top: height * 0.1, bottom: height * 0.8 }, size: 260, opacity: 0.6 })
  context.globalAlpha = 1
  const count = Math.round(9 * Math.max(1, width / height) ** 0.7)
  const flowers = Array.from({ length: count }, (_, index) => ({
    x: width * (0.1 + (0.8 * (index + 0.5)) / count) + random.between(-30, 30) * unit,
    y: height * (0.2 + 0.36 * random.next()),
    radius: random.between(58, 112) * unit,
  }))
  for (const flower of flowers) paintStem(scene, flower, pigments)
  for (const flower of flowers) paintFlower(scene, flower, random.pick(pigments.accents))
}

function paintStem(scene: Scene, flower: Point, pigments: Pigments): void {
  const { context, width, height, random, unit } = scene
  const foot = { x: width / 2 + (flower.x - width / 2) * 0.55 + random.between(-20, 20) * unit, y: height * 1.02 }
  const bend = { x: foot.x + random.between(-30, 30) * unit, y: (flower.y + foot.y) / 2 }
  const green = mix(pigments.hills[1], '#4c8a4a', 0.6)
  context.save()
  context.globalCompositeOperation = 'multiply'
  context.lineCap = 'round'
  for (const [thick, opacity] of [[5, 0.28], [2.6, 0.42]] as const) {
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
    petal(scene, { x, y }, { angle, length: random.between(70, 130) * unit, breadth: 0.17, color: mix(green, random.pick(pigments.accents), 0.18) })
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
      petal(scene, flower, { angle, length, breadth: 0.36, color: mix(color, random.chance(0.5) ? '#ffffff' : darken(color, 0.2), random.between(0, 0.28)) })
    }
  }
  blob(scene, flower, flower.radius * 0.15, darken(color, 0.5), 0.9)
}

function petal(scene: Scene, from: Point, options: { angle: number; length: number; breadth: number; color: string }): void {
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
  wash(scene, outline, { fill, rim: fade(darken(options.color, 0.1), 0.3), coats: 2, opacity: 0.44, amount: options.length * 0.03 })
}

function splatter(scene: Scene, pigments: Pigments, count: number): void {
  const { random, width, height, unit, context } = scene
  context.save()
  context.globalCompositeOperation = 'multiply'
  for (let drop = 0; drop < count; drop += 1) {
    context.fillStyle = fade(random.pick(pigments.accents), random.between(0.12, 0.4))
    context.beginPath()
    context.arc(random.next() * width, random.next() * height, random.next() ** 3 * 8 * unit + unit, 0, Math.PI * 2)
    context.fill()
  }
  context.restore()
}

/** The tooth of the paper, over everything. */
function layPaper(scene: Scene): void {
  const { context, random } = scene
  const tile = createCanvas(192, 192)
  const paper = tile.getContext('2d')
  const data = paper.createImageData(192, 192)
  for (let index = 0; index < data.data.length; index += 4) {
    const shade = 255 - Math.floor(random.next() * random.next() * 38)
    data.data[index] = shade
    data.data[index + 1] = shade
    data.data[index + 2] = shade - 4
    data.data[index + 3] = 255
  }
  paper.putImageData(data, 0, 0)
  const pattern = context.createPattern(tile, 'repeat')
  if (!pattern) return
  context.save()
  context.globalCompositeOperation = 'multiply'
  context.fillStyle = pattern
  context.fillRect(0, 0, scene.width, scene.height)
  context.restore()
}
