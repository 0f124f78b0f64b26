import { darken, fade, lighten, mix } from './color.ts'
import { createNoise } from './random.ts'
import { below, disc, glow, type Point, polygon, type Scene, softly, stars, vertical } from './scene.ts'

interface Cel {
  readonly sky: readonly string[]
  /** Lit, half-lit, shaded. */
  readonly cloud: readonly [string, string, string]
  readonly far: string
  readonly grass: readonly [lit: string, dark: string]
  readonly petal: string
  readonly isNight: boolean
}

const CELS: readonly Cel[] = [
  { sky: ['#1766c7', '#3f97e6', '#8fd0f5', '#e3f6fb'], cloud: ['#ffffff', '#dcecfa', '#a9cdec'], far: '#5f9fcf', grass: ['#8ed14f', '#2b8f4a'], petal: '#ffffff', isNight: false },
  { sky: ['#3b3f96', '#a85aa6', '#f58a7c', '#ffd9a0'], cloud: ['#ffe3c2', '#f7a99a', '#b0689f'], far: '#9a5f97', grass: ['#d78a62', '#5a3b6b'], petal: '#ffd0c0', isNight: false },
  { sky: ['#0d1242', '#24307c', '#4d56ad', '#a08fd0'], cloud: ['#b9b8ec', '#7f83cc', '#4a4f9f'], far: '#333a82', grass: ['#3f6f9a', '#141d4d'], petal: '#bfe6ff', isNight: true },
  { sky: ['#2b8fd0', '#74c4e8', '#c6ecf0', '#fff2dd'], cloud: ['#fffdf6', '#f7dfe0', '#cdbfe0'], far: '#8fb6d9', grass: ['#a7dc75', '#3d9a6e'], petal: '#ffb7cf', isNight: false },
  { sky: ['#0f8a9d', '#4cc0bd', '#b3eacb', '#fff6c9'], cloud: ['#fffef2', '#dff2d9', '#9fd3c4'], far: '#58a99f', grass: ['#b5d957', '#2e8a55'], petal: '#fff3a8', isNight: false },
]

/** Towering clouds in flat tones over a windy hill. */
export function drawAnime(scene: Scene): void {
  const cel = scene.random.pick(CELS)
  const { context, width, height, random, unit } = scene
  context.fillStyle = vertical(context, 0, height * 0.86, cel.sky)
  context.fillRect(0, 0, width, height)
  const sun = { x: width * random.between(0.15, 0.85), y: height * random.between(0.1, 0.22) }
  if (cel.isNight) stars(scene, 420, height * 0.75, '#e8ecff')
  paintRays(scene, sun, cel)
  const horizon = height * random.between(0.66, 0.72)
  paintClouds(scene, cel, horizon, sun)
  paintDistance(scene, cel, horizon)
  paintHill(scene, cel)
  if (cel.isNight) shootingStars(scene)
  paintPetals(scene, cel, cel.isNight ? 46 : 34)
  softly(scene, { scale: 0.125, blend: 'screen', opacity: 0.7 }, (soft) => glow(soft, sun, 420 * unit, lighten(cel.cloud[0], 0.2), cel.isNight ? 0.3 : 0.55))
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

interface Puff extends Point {
  readonly radius: number
}

function paintClouds(scene: Scene, cel: Cel, horizon: number, sun: Point): void {
  const { width, height, random, unit } = scene
  const towers = Math.max(2, Math.round((width / height) * 2.4))
  for (let index = 0; index < 6 * Math.max(1, width / height); index += 1) wisp(scene, cel)
  for (let row = 0; row < 2; row += 1) {
    for (let tower = 0; tower < towers; tower += 1) {
      const x = ((tower + random.between(0.1, 0.9)) / towers) * width
      const tall = (row === 0 ? random.between(0.28, 0.5) : random.between(0.1, 0.2)) * height
      const broad = tall * random.between(0.6, 0.95) + (row === 0 ? 0 : 90 * unit)
      const base = horizon + 30 * unit
      const puffs: Puff[] = []
      const count = row === 0 ? 46 : 26
      for (let puff = 0; puff < count; puff += 1) {
        const level = random.next() ** 1.2
        const breadth = broad * (1 - level ** 1.5) * 0.62 + 24 * unit
        puffs.push({
          x: x + random.between(-1, 1) * breadth,
          y: base - level * tall,
          radius: (tall * 0.17 * (1 - level * 0.55) + 10 * unit) * random.between(0.65, 1.15),
        })
      }
      cumulus(scene, puffs.sort((one, other) => one.y - other.y), cel, sun)
    }
  }
}

/** A heap of rounds in three flat tones, lit from the sun's side. */
function cumulus(scene: Scene, puffs: readonly Puff[], cel: Cel, sun: Point): void {
  const { context } = scene
  const middle = puffs[Math.floor(puffs.length / 2)] ?? sun
  const angle = Math.atan2(sun.y - middle.y, sun.x - middle.x)
  const light = { x: Math.cos(angle), y: Math.min(-0.45, Math.sin(angle)) }
  const heap = Math.ceil(puffs.length / 5)
  for (let start = 0; start < puffs.length; start += heap) {
    for (const [tone, shift, size] of [[2, 0, 1], [1, 0.17, 0.92], [0, 0.36, 0.78]] as const) {
      context.fillStyle = cel.cloud[tone]
      for (const puff of puffs.slice(start, start + heap)) {
        disc(context, { x: puff.x + light.x * puff.radius * shift, y: puff.y + light.y * puff.radius * shift }, puff.radius * size)
      }
    }
  }
}

function wisp(scene: Scene, cel: Cel): void {
  const { context, width, height, random, unit } = scene
  const y = height * random.between(0.05, 0.42)
  const x = random.between(-0.1, 1) * width
  context.fillStyle = fade(cel.cloud[0], random.between(0.25, 0.6))
  for (let streak = 0; streak < 4; streak += 1) {
    const length = random.between(50, 190) * unit
    const left = x + random.between(-40, 90) * unit
    const top = y + streak * 7 * unit
    context.beginPath()
    context.roundRect(left, top, length, random.between(2, 7) * unit, 4 * unit)
    context.fill()
  }
}

/** Blue hills, a sea or a town where the clouds end. */
function paintDistance(scene: Scene, cel: Cel, horizon: number): void {
  const { context, width, height, random, unit } = scene
  for (let layer = 0; layer < 2; layer += 1) {
    const noise = createNoise(random, 4)
    const line: Point[] = []
    for (let x = -5; x <= width + 10; x += 5) line.push({ x, y: horizon + (layer * 26 + 14 - (noise(x / (150 * unit)) * 0.5 + 0.5) * 62) * unit })
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
  const crest = (x: number): number => height * (0.8 - 0.07 * rising * (x / width - 0.5) * 2 + 0.035 * Math.cos((x / width) * Math.PI * 1.6))
  const line: Point[] = []
  for (let x = -6; x <= width + 12; x += 6) line.push({ x, y: crest(x) })
  below(context, line, height)
  context.fillStyle = vertical(context, height * 0.74, height, [cel.grass[0], mix(cel.grass[0], cel.grass[1], 0.65), cel.grass[1]])
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
    for (const arm of [18, 52]) context.fillRect(x - 44 * unit * size, top + arm * unit * size, 88 * unit * size, 6 * unit * size)
    if (before) {
      context.lineWidth = Math.max(0.7, 1.5 * unit * size)
      for (const end of [-40, 40]) {
        context.beginPath()
        context.moveTo(before.x + end * unit * before.size, before.y + 18 * unit * before.size)
        context.quadraticCurveTo((before.x + x) / 2, (before.y + top) / 2 + 90 * unit * size, x + end * unit * size, top + 18 * unit * size)
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
