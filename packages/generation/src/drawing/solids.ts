import { darken, fade, lighten, mix } from './color.ts'
import { disc, glow, linear, type Point, type Scene, softly, vertical, vignette } from './scene.ts'

interface Studio {
  readonly wall: readonly [top: string, bottom: string]
  readonly floor: readonly [far: string, near: string]
  readonly solids: readonly string[]
  readonly rim: string
}

const STUDIOS: readonly Studio[] = [
  { wall: ['#f6c9b8', '#fbe6d9'], floor: ['#f7d8c8', '#e9a995'], solids: ['#ef6f6c', '#ffffff', '#465775', '#f2b880', '#56b0a8'], rim: '#ffe9d8' },
  { wall: ['#1d1a3a', '#4a3c86'], floor: ['#4a3c86', '#15122b'], solids: ['#7c5cff', '#ff6ec7', '#36d6e7', '#ffd166', '#e9e6ff'], rim: '#8fd8ff' },
  { wall: ['#cfe3f2', '#f2f7fb'], floor: ['#e6eff6', '#a9c3d9'], solids: ['#3a7bd5', '#ffffff', '#ffb347', '#f0647a', '#7ec8a4'], rim: '#ffffff' },
  { wall: ['#d9e8d3', '#f3f4e2'], floor: ['#e8ecd2', '#a8bf94'], solids: ['#588157', '#f4f1de', '#e07a5f', '#f2cc8f', '#3d5a4a'], rim: '#fffbe6' },
  { wall: ['#2b2d42', '#5d6381'], floor: ['#6d7391', '#1f2033'], solids: ['#ef233c', '#edf2f4', '#f4a259', '#8d99ae', '#5bc0be'], rim: '#ffd9c2' },
]

interface Sphere extends Point {
  readonly radius: number
  /** 0 at the back of the floor, 1 at the front. */
  readonly depth: number
  readonly color: string
  readonly finish: 'gloss' | 'matte' | 'striped'
}

/** Spheres, plinths and an arch in the soft light of a studio. */
export function drawSolids(scene: Scene): void {
  const studio = scene.random.pick(STUDIOS)
  const { width, height, random } = scene
  const horizon = height * random.between(0.56, 0.62)
  paintStudio(scene, studio, horizon)
  const variant = random.pick(['plinths', 'spheres'] as const)
  if (variant === 'plinths') paintPlinths(scene, studio, horizon)
  else paintArch(scene, studio, { x: width * random.between(0.32, 0.68), y: horizon + height * 0.03 })
  const count = Math.round((variant === 'plinths' ? 7 : 13) * Math.max(1, (width / height) ** 0.6))
  for (const sphere of scatter(scene, studio, { horizon, count })) {
    paintShadow(scene, sphere, studio)
    paintSphere(scene, sphere, studio)
  }
  if (variant === 'spheres') paintFloating(scene, studio, horizon)
  vignette(scene, 0.22)
}

function paintStudio(scene: Scene, studio: Studio, horizon: number): void {
  const { context, width, height, unit } = scene
  context.fillStyle = vertical(context, 0, horizon, studio.wall)
  context.fillRect(0, 0, width, height)
  context.fillStyle = vertical(context, horizon - 60 * unit, height, [
    [0, fade(studio.floor[0], 0)],
    [(60 * unit) / (height - horizon + 60 * unit), studio.floor[0]],
    [1, studio.floor[1]],
  ])
  context.fillRect(0, horizon - 60 * unit, width, height)
  softly(scene, { scale: 0.125, opacity: 0.9 }, (soft) => {
    glow(soft, { x: width * 0.3, y: height * 0.12 }, Math.max(width, height) * 0.6, lighten(studio.rim, 0.3), 0.55)
    glow(soft, { x: width * 0.52, y: horizon + height * 0.14 }, width * 0.5, lighten(studio.floor[0], 0.5), 0.4)
  })
}

/** Places spheres on the floor without one standing in another, far ones first. */
function scatter(scene: Scene, studio: Studio, options: { horizon: number; count: number }): Sphere[] {
  const { width, height, random, unit } = scene
  const placed: Sphere[] = []
  for (let attempt = 0; attempt < 260 && placed.length < options.count; attempt += 1) {
    const depth = random.next()
    const radius = (placed.length < 3 ? random.between(90, 150) : random.between(18, 74)) * unit * (0.62 + depth * 0.5)
    const sphere: Sphere = {
      x: random.between(0.04, 0.96) * width,
      y: options.horizon + (0.1 + depth * 0.62) * (height - options.horizon) - radius,
      radius,
      depth,
      color: random.pick(studio.solids),
      finish: random.pick(['gloss', 'gloss', 'matte', 'striped'] as const),
    }
    const isFree = placed.every((other) => {
      const across = Math.abs(other.x - sphere.x)
      const along = Math.abs(other.y + other.radius - sphere.y - sphere.radius) * 2.2
      return Math.hypot(across, along) > (other.radius + radius) * 0.98
    })
    if (isFree) placed.push(sphere)
  }
  return placed.sort((one, other) => one.y + one.radius - other.y - other.radius)
}

function paintShadow(scene: Scene, sphere: Sphere, studio: Studio): void {
  const { context } = scene
  const foot = sphere.y + sphere.radius
  const shade = darken(studio.floor[1], 0.62)
  context.save()
  context.translate(sphere.x + sphere.radius * 0.5, foot + sphere.radius * 0.02)
  context.scale(1, 0.26)
  glow(context, { x: 0, y: 0 }, sphere.radius * 1.9, shade, 0.62)
  context.restore()
  context.save()
  context.translate(sphere.x + sphere.radius * 0.06, foot - sphere.radius * 0.01)
  context.scale(1, 0.16)
  glow(context, { x: 0, y: 0 }, sphere.radius * 0.85, darken(shade, 0.4), 0.95)
  context.restore()
}

function paintSphere(scene: Scene, sphere: Sphere, studio: Studio): void {
  const { context } = scene
  const { x, y, radius, color } = sphere
  context.save()
  context.beginPath()
  context.arc(x, y, radius, 0, Math.PI * 2)
  context.clip()
  context.fillStyle = color
  context.fillRect(x - radius, y - radius, radius * 2, radius * 2)
  if (sphere.finish === 'striped') stripes(scene, sphere, lighten(color, 0.55))
  const body = context.createRadialGradient(x - radius * 0.38, y - radius * 0.45, radius * 0.05, x, y, radius * 1.05)
  body.addColorStop(0, fade(lighten(color, 0.75), sphere.finish === 'matte' ? 0.5 : 0.75))
  body.addColorStop(0.35, fade(color, 0.1))
  body.addColorStop(0.72, fade(darken(color, 0.55), 0.5))
  body.addColorStop(1, fade(darken(color, 0.8), 0.88))
  context.fillStyle = body
  context.fillRect(x - radius, y - radius, radius * 2, radius * 2)
  const bounce = context.createRadialGradient(x, y + radius * 1.15, radius * 0.1, x, y + radius * 1.15, radius * 0.95)
  bounce.addColorStop(0, fade(studio.floor[0], 0.62))
  bounce.addColorStop(1, fade(studio.floor[0], 0))
  context.fillStyle = bounce
  context.fillRect(x - radius, y - radius, radius * 2, radius * 2)
  context.strokeStyle = linear(context, { x, y: 0 }, { x: x + radius, y: 0 }, [fade(studio.rim, 0), fade(studio.rim, 0.3)])
  for (const thick of [0.03, 0.07, 0.13]) {
    context.lineWidth = radius * thick
    context.beginPath()
    context.arc(x, y, radius, -Math.PI / 2, Math.PI / 2)
    context.stroke()
  }
  context.restore()
  if (sphere.finish !== 'matte') shine(scene, sphere)
}

function shine(scene: Scene, sphere: Sphere): void {
  const { context } = scene
  const { x, y, radius } = sphere
  context.save()
  context.translate(x - radius * 0.4, y - radius * 0.5)
  context.rotate(-0.7)
  context.scale(1, 0.56)
  glow(context, { x: 0, y: 0 }, radius * 0.34, '#ffffff', 0.95)
  context.fillStyle = 'rgba(255, 255, 255, 0.85)'
  disc(context, { x: 0, y: 0 }, radius * 0.1)
  context.restore()
}

function stripes(scene: Scene, sphere: Sphere, color: string): void {
  const { context, random } = scene
  context.save()
  context.translate(sphere.x, sphere.y)
  context.rotate(random.between(-0.6, 0.6))
  context.strokeStyle = color
  context.lineWidth = sphere.radius * 0.14
  for (let band = -2; band <= 2; band += 1) {
    context.beginPath()
    context.ellipse(0, band * sphere.radius * 0.38, sphere.radius * 1.05, sphere.radius * 0.26, 0, 0, Math.PI)
    context.stroke()
  }
  context.restore()
}

function paintFloating(scene: Scene, studio: Studio, horizon: number): void {
  const { width, random, unit } = scene
  for (let index = 0; index < 6; index += 1) {
    const radius = random.between(10, 40) * unit
    const sphere: Sphere = { x: random.between(0.05, 0.95) * width, y: random.between(0.1, 0.75) * horizon, radius, depth: 0, color: random.pick(studio.solids), finish: 'gloss' }
    paintSphere(scene, sphere, studio)
  }
}

/** Round steps, each with something on top. */
function paintPlinths(scene: Scene, studio: Studio, horizon: number): void {
  const { width, height, random, unit } = scene
  const count = Math.max(2, Math.round((width / height) * 2.6))
  paintArch(scene, studio, { x: width * random.between(0.3, 0.7), y: horizon + height * 0.02 })
  const order = Array.from({ length: count }, (_, index) => index).sort((one, other) => Math.abs(other - count / 2) - Math.abs(one - count / 2))
  for (const index of order) {
    const half = random.between(74, 118) * unit
    const x = (width * (index + 0.5)) / count + random.between(-25, 25) * unit
    const foot = horizon + height * random.between(0.06, 0.13)
    const tall = random.between(60, 250) * unit
    const color = mix(random.pick(studio.solids), studio.wall[1], 0.25)
    plinth(scene, { x, y: foot }, { half, tall, color }, studio)
    const radius = half * random.between(0.42, 0.72)
    const ball: Sphere = { x, y: foot - tall - radius, radius, depth: 0, color: random.pick(studio.solids), finish: random.pick(['gloss', 'striped', 'matte'] as const) }
    scene.context.save()
    scene.context.beginPath()
    scene.context.ellipse(x, foot - tall, half, half * 0.26, 0, 0, Math.PI * 2)
    scene.context.clip()
    paintShadow(scene, ball, { ...studio, floor: [color, color] })
    scene.context.restore()
    paintSphere(scene, ball, studio)
  }
}

function plinth(scene: Scene, foot: Point, options: { half: number; tall: number; color: string }, studio: Studio): void {
  const { context } = scene
  const { half, tall, color } = options
  context.save()
  context.translate(foot.x + half * 0.5, foot.y + half * 0.06)
  context.scale(1, 0.28)
  glow(context, { x: 0, y: 0 }, half * 2.1, darken(studio.floor[1], 0.55), 0.6)
  context.restore()
  const side = linear(context, { x: foot.x - half, y: 0 }, { x: foot.x + half, y: 0 }, [
    [0, mix(color, darken(color, 0.4), 0.5)],
    [0.24, lighten(color, 0.28)],
    [0.5, color],
    [0.88, darken(color, 0.45)],
    [1, mix(darken(color, 0.3), studio.rim, 0.25)],
  ])
  context.fillStyle = side
  context.beginPath()
  context.ellipse(foot.x, foot.y, half, half * 0.26, 0, 0, Math.PI)
  context.lineTo(foot.x - half, foot.y - tall)
  context.lineTo(foot.x + half, foot.y - tall)
  context.closePath()
  context.fill()
  context.fillStyle = linear(context, { x: foot.x - half, y: foot.y - tall }, { x: foot.x + half, y: foot.y - tall }, [lighten(color, 0.5), lighten(color, 0.18)])
  context.beginPath()
  context.ellipse(foot.x, foot.y - tall, half, half * 0.26, 0, 0, Math.PI * 2)
  context.fill()
}

function paintArch(scene: Scene, studio: Studio, foot: Point): void {
  const { context, random, width, height } = scene
  const tall = Math.min(height * 0.44, width * 0.62)
  const color = mix(random.pick(studio.solids), studio.wall[1], 0.45)
  for (const [grow, shift, tone] of [[1, 0.1, darken(color, 0.35)], [1, 0, color], [0.72, 0, mix(color, studio.wall[0], 0.6)]] as const) {
    const half = tall * 0.36 * grow
    const top = foot.y - tall * (grow === 1 ? 1 : 0.86)
    const x = foot.x + half * shift
    context.fillStyle = linear(context, { x: x - half, y: 0 }, { x: x + half, y: 0 }, [lighten(tone, 0.16), darken(tone, 0.1)])
    context.beginPath()
    context.moveTo(x - half, foot.y)
    context.lineTo(x - half, top + half)
    context.arc(x, top + half, half, Math.PI, 0)
    context.lineTo(x + half, foot.y)
    context.closePath()
    context.fill()
  }
}
