import { darken, fade, lighten } from '../color.ts'
import { disc, glow, linear, type Point, type Scene } from '../scene.ts'
import type { Studio } from './studio.ts'

export interface Sphere extends Point {
  readonly radius: number
  /** 0 at the back of the floor, 1 at the front. */
  readonly depth: number
  readonly color: string
  readonly finish: 'gloss' | 'matte' | 'striped'
}

/** Places spheres on the floor without one standing in another, far ones first. */
export function scatter(scene: Scene, studio: Studio, options: { horizon: number; count: number }): Sphere[] {
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
    if (isFree) {
      placed.push(sphere)
    }
  }
  return placed.sort((one, other) => one.y + one.radius - other.y - other.radius)
}

export function paintShadow(scene: Scene, sphere: Sphere, studio: Studio): void {
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

export function paintSphere(scene: Scene, sphere: Sphere, studio: Studio): void {
  const { context } = scene
  const { x, y, radius, color } = sphere
  context.save()
  context.beginPath()
  context.arc(x, y, radius, 0, Math.PI * 2)
  context.clip()
  context.fillStyle = color
  context.fillRect(x - radius, y - radius, radius * 2, radius * 2)
  if (sphere.finish === 'striped') {
    stripes(scene, sphere, lighten(color, 0.55))
  }
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
  context.strokeStyle = linear(context, { x, y: 0 }, { x: x + radius, y: 0 }, [
    fade(studio.rim, 0),
    fade(studio.rim, 0.3),
  ])
  for (const thick of [0.03, 0.07, 0.13]) {
    context.lineWidth = radius * thick
    context.beginPath()
    context.arc(x, y, radius, -Math.PI / 2, Math.PI / 2)
    context.stroke()
  }
  context.restore()
  if (sphere.finish !== 'matte') {
    shine(scene, sphere)
  }
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
