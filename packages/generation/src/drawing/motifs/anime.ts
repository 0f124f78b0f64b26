import { darken, fade, lighten, mix } from '../color.ts'
import { createNoise } from '../random.ts'
import { below, disc, glow, type Point, polygon, type Scene, softly, stars, vertical } from '../scene.ts'
import { paintClouds } from './anime-clouds.ts'
import { CELS, type Cel } from './cel.ts'

/** Towering clouds in flat tones over a windy hill. */
export function drawAnime(scene: Scene): void {
  const cel = scene.random.pick(CELS)
  const { context, width, height, random, unit } = scene
  context.fillStyle = vertical(context, 0, height * 0.86, cel.sky)
  context.fillRect(0, 0, width, height)
  const sun = { x: width * random.between(0.15, 0.85), y: height * random.between(0.1, 0.22) }
  if (cel.isNight) {
    stars(scene, 420, height * 0.75, '#e8ecff')
  }
  paintRays(scene, sun, cel)
  const horizon = height * random.between(0.66, 0.72)
  paintClouds(scene, cel, horizon, sun)
  paintDistance(scene, cel, horizon)
  paintHill(scene, cel)
  if (cel.isNight) {
    shootingStars(scene)
  }
  paintPetals(scene, cel, cel.isNight ? 46 : 34)
  softly(scene, { scale: 0.125, blend: 'screen', opacity: 0.7 }, (soft) =>
    glow(soft, sun, 420 * unit, lighten(cel.cloud[0], 0.2), cel.isNight ? 0.3 : 0.55),
  )
}

function paintRays(scene: Scene, sun: Point, cel: Cel): void {
  const { context, width, height, random, unit } = scene
  if (!cel.isNight) {
    const reach = Math.hypot(width, height)
    softly(scene, { scale: 0.25, blur: 6 * unit, opacity: 0.5 }, (soft) => {
      for (let ray = 0; ray < 13; ray += 1) {
        const angle = random.between(0, Math.PI * 2)
        const spread = random.between(0.02, 0.07)
        polygon(soft, [
          sun,
          { x: sun.x + Math.cos(angle) * reach, y: sun.y + Math.sin(angle) * reach },
          { x: sun.x + Math.cos(angle + spread) * reach, y: sun.y + Math.sin(angle + spread) * reach },
        ])
        soft.fillStyle = fade('#ffffff', 0.16)
        soft.fill()
      }
    })
  }
  glow(context, sun, 170 * unit, '#ffffff', cel.isNight ? 0.5 : 0.85)
  context.fillStyle = cel.isNight ? '#fdf8e4' : '#ffffff'
  disc(context, sun, (cel.isNight ? 40 : 30) * unit)
}

/** Blue hills, a sea or a town where the clouds end. */
function paintDistance(scene: Scene, cel: Cel, horizon: number): void {
  const { context, width, height, random, unit } = scene
  for (let layer = 0; layer < 2; layer += 1) {
    const noise = createNoise(random, 4)
    const line: Point[] = []
    for (let x = -5; x <= width + 10; x += 5) {
      line.push({ x, y: horizon + (layer * 26 + 14 - (noise(x / (150 * unit)) * 0.5 + 0.5) * 62) * unit })
    }
    below(context, line, height)
    context.fillStyle = mix(cel.far, cel.grass[1], layer * 0.4)
    context.fill()
  }
  const town = random.between(0.15, 0.75) * width
  for (let house = 0; house < 26; house += 1) {
    const x = town + random.between(-110, 110) * unit
    const tall = random.between(8, 26) * unit
    const broad = random.between(6, 15) * unit
    context.fillStyle = mix(mix(cel.far, cel.grass[1], 0.35), cel.cloud[0], random.between(0.1, 0.55))
    context.fillRect(x, horizon + 34 * unit - tall, broad, tall + 10 * unit)
    if (cel.isNight && random.chance(0.7)) {
      context.fillStyle = '#ffe9a8'
      context.fillRect(x + broad * 0.3, horizon + 38 * unit - tall, broad * 0.28, broad * 0.28)
    }
  }
}

function paintHill(scene: Scene, cel: Cel): void {
  const { context, width, height, random, unit } = scene
  const rising = random.pick([-1, 1])
  const crest = (x: number): number =>
    height * (0.8 - 0.07 * rising * (x / width - 0.5) * 2 + 0.035 * Math.cos((x / width) * Math.PI * 1.6))
  const line: Point[] = []
  for (let x = -6; x <= width + 12; x += 6) {
    line.push({ x, y: crest(x) })
  }
  below(context, line, height)
  context.fillStyle = vertical(context, height * 0.74, height, [
    cel.grass[0],
    mix(cel.grass[0], cel.grass[1], 0.65),
    cel.grass[1],
  ])
  context.fill()
  const blades = Math.round(width / (2.1 * unit))
  for (let row = 0; row < 3; row += 1) {
    context.fillStyle = row === 0 ? mix(cel.grass[0], '#ffffff', 0.12) : mix(cel.grass[0], cel.grass[1], row * 0.42)
    context.beginPath()
    for (let blade = 0; blade < blades / (row + 1); blade += 1) {
      const x = random.next() * width
      const y = crest(x) + (row === 0 ? 2 : random.between(0.2, 1) * row * height * 0.085)
      const tall = random.between(8, 20) * unit * (1 + row * 0.8)
      const lean = random.between(0.2, 0.9) * tall * rising
      context.moveTo(x - 1.6 * unit * (1 + row), y + 3)
      context.quadraticCurveTo(x, y - tall * 0.5, x + lean, y - tall)
      context.quadraticCurveTo(x + 1.5 * unit, y - tall * 0.4, x + 1.6 * unit * (1 + row), y + 3)
    }
    context.fill()
  }
  poles(scene, crest, mix(cel.grass[1], '#10142e', 0.55), rising)
}

/** A row of power poles that walks away over the hill. */
function poles(scene: Scene, crest: (x: number) => number, color: string, rising: number): void {
  const { context, width, unit } = scene
  context.strokeStyle = color
  context.fillStyle = color
  let before: { x: number; y: number; size: number } | undefined
  for (let index = 0; index < 5; index += 1) {
    const size = 0.62 ** index
    const x = width * (rising > 0 ? 1 - (1 - size) * 1.02 - 0.1 : (1 - size) * 1.02 + 0.1)
    const top = crest(x) - 330 * unit * size
    context.fillRect(x - 4 * unit * size, top, 8 * unit * size, 350 * unit * size)
    for (const arm of [18, 52]) {
      context.fillRect(x - 44 * unit * size, top + arm * unit * size, 88 * unit * size, 6 * unit * size)
    }
    if (before) {
      context.lineWidth = Math.max(0.7, 1.5 * unit * size)
      for (const end of [-40, 40]) {
        context.beginPath()
        context.moveTo(before.x + end * unit * before.size, before.y + 18 * unit * before.size)
        context.quadraticCurveTo(
          (before.x + x) / 2,
          (before.y + top) / 2 + 90 * unit * size,
          x + end * unit * size,
          top + 18 * unit * size,
        )
        context.stroke()
      }
    }
    before = { x, y: top, size }
  }
}

function shootingStars(scene: Scene): void {
  const { context, width, height, random, unit } = scene
  for (let index = 0; index < 3; index += 1) {
    const head = { x: random.between(0.1, 0.9) * width, y: random.between(0.06, 0.4) * height }
    const length = random.between(90, 220) * unit
    const trail = context.createLinearGradient(head.x, head.y, head.x + length, head.y - length * 0.45)
    trail.addColorStop(0, 'rgba(255, 255, 255, 0.95)')
    trail.addColorStop(1, 'rgba(255, 255, 255, 0)')
    context.strokeStyle = trail
    context.lineWidth = 2.4 * unit
    context.beginPath()
    context.moveTo(head.x, head.y)
    context.lineTo(head.x + length, head.y - length * 0.45)
    context.stroke()
  }
}

function paintPetals(scene: Scene, cel: Cel, count: number): void {
  const { context, width, height, random, unit } = scene
  for (let index = 0; index < count; index += 1) {
    const size = random.between(3, 9) * unit
    context.save()
    context.translate(random.next() * width, random.between(0.2, 1) * height)
    context.rotate(random.between(0, Math.PI * 2))
    context.fillStyle = fade(random.chance(0.3) ? darken(cel.petal, 0.08) : cel.petal, random.between(0.6, 0.95))
    context.beginPath()
    context.moveTo(-size, 0)
    context.quadraticCurveTo(0, -size * 0.9, size, 0)
    context.quadraticCurveTo(0, size * 0.6, -size, 0)
    context.fill()
    context.restore()
  }
}
