import { createCanvas } from '@napi-rs/canvas'
import { darken, fade, lighten, mix } from '../color.ts'
import { createNoise, createRange } from '../random.ts'
import { type Point, polygon, type Scene } from '../scene.ts'
import { PIGMENTS, type Pigments } from './pigments.ts'
import { blob, blooms, ragged, wash } from './wash.ts'
import { paintFlowers } from './watercolor-flowers.ts'

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

function paintHills(scene: Scene, pigments: Pigments): void {
  const { context, width, height, random, unit } = scene
  const shore = height * random.between(0.64, 0.7)
  const skyWash = context.createLinearGradient(0, 0, 0, shore)
  for (const [index, color] of pigments.sky.entries()) {
    skyWash.addColorStop(index / 2, color)
  }
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
  const outline = [
    { x: -20, y: shore },
    { x: width + 20, y: shore },
    { x: width + 20, y: height + 20 },
    { x: -20, y: height + 20 },
  ]
  wash(scene, outline, {
    fill,
    rim: fade(pigments.hills[1], 0.12),
    coats: 2,
    opacity: 0.5,
    amount: 3 * unit,
    rounds: 5,
  })
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
  if (!pattern) {
    return
  }
  context.save()
  context.globalCompositeOperation = 'multiply'
  context.fillStyle = pattern
  context.fillRect(0, 0, scene.width, scene.height)
  context.restore()
}
