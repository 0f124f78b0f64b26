import { darken, fade, lighten, mix } from '../color.ts'
import { glow, linear, type Point, type Scene, softly, vertical, vignette } from '../scene.ts'
import { paintShadow, paintSphere, type Sphere, scatter } from './solids-spheres.ts'
import { STUDIOS, type Studio } from './studio.ts'

/** Spheres, plinths and an arch in the soft light of a studio. */
export function drawSolids(scene: Scene): void {
  const studio = scene.random.pick(STUDIOS)
  const { width, height, random } = scene
  const horizon = height * random.between(0.56, 0.62)
  paintStudio(scene, studio, horizon)
  const variant = random.pick(['plinths', 'spheres'] as const)
  if (variant === 'plinths') {
    paintPlinths(scene, studio, horizon)
  } else {
    paintArch(scene, studio, { x: width * random.between(0.32, 0.68), y: horizon + height * 0.03 })
  }
  const count = Math.round((variant === 'plinths' ? 7 : 13) * Math.max(1, (width / height) ** 0.6))
  for (const sphere of scatter(scene, studio, { horizon, count })) {
    paintShadow(scene, sphere, studio)
    paintSphere(scene, sphere, studio)
  }
  if (variant === 'spheres') {
    paintFloating(scene, studio, horizon)
  }
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

function paintFloating(scene: Scene, studio: Studio, horizon: number): void {
  const { width, random, unit } = scene
  for (let index = 0; index < 6; index += 1) {
    const radius = random.between(10, 40) * unit
    const sphere: Sphere = {
      x: random.between(0.05, 0.95) * width,
      y: random.between(0.1, 0.75) * horizon,
      radius,
      depth: 0,
      color: random.pick(studio.solids),
      finish: 'gloss',
    }
    paintSphere(scene, sphere, studio)
  }
}

/** Round steps, each with something on top. */
function paintPlinths(scene: Scene, studio: Studio, horizon: number): void {
  const { width, height, random, unit } = scene
  const count = Math.max(2, Math.round((width / height) * 2.6))
  paintArch(scene, studio, { x: width * random.between(0.3, 0.7), y: horizon + height * 0.02 })
  const order = Array.from({ length: count }, (_, index) => index).sort(
    (one, other) => Math.abs(other - count / 2) - Math.abs(one - count / 2),
  )
  for (const index of order) {
    const half = random.between(74, 118) * unit
    const x = (width * (index + 0.5)) / count + random.between(-25, 25) * unit
    const foot = horizon + height * random.between(0.06, 0.13)
    const tall = random.between(60, 250) * unit
    const color = mix(random.pick(studio.solids), studio.wall[1], 0.25)
    plinth(scene, { x, y: foot }, { half, tall, color }, studio)
    const radius = half * random.between(0.42, 0.72)
    const ball: Sphere = {
      x,
      y: foot - tall - radius,
      radius,
      depth: 0,
      color: random.pick(studio.solids),
      finish: random.pick(['gloss', 'striped', 'matte'] as const),
    }
    scene.context.save()
    scene.context.beginPath()
    scene.context.ellipse(x, foot - tall, half, half * 0.26, 0, 0, Math.PI * 2)
    scene.context.clip()
    paintShadow(scene, ball, { ...studio, floor: [color, color] })
    scene.context.restore()
    paintSphere(scene, ball, studio)
  }
}

function plinth(
  scene: Scene,
  foot: Point,
  options: { half: number; tall: number; color: string },
  studio: Studio,
): void {
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
  context.fillStyle = linear(context, { x: foot.x - half, y: foot.y - tall }, { x: foot.x + half, y: foot.y - tall }, [
    lighten(color, 0.5),
    lighten(color, 0.18),
  ])
  context.beginPath()
  context.ellipse(foot.x, foot.y - tall, half, half * 0.26, 0, 0, Math.PI * 2)
  context.fill()
}

function paintArch(scene: Scene, studio: Studio, foot: Point): void {
  const { context, random, width, height } = scene
  const tall = Math.min(height * 0.44, width * 0.62)
  const color = mix(random.pick(studio.solids), studio.wall[1], 0.45)
  for (const [grow, shift, tone] of [
    [1, 0.1, darken(color, 0.35)],
    [1, 0, color],
    [0.72, 0, mix(color, studio.wall[0], 0.6)],
  ] as const) {
    const half = tall * 0.36 * grow
    const top = foot.y - tall * (grow === 1 ? 1 : 0.86)
    const x = foot.x + half * shift
    context.fillStyle = linear(context, { x: x - half, y: 0 }, { x: x + half, y: 0 }, [
      lighten(tone, 0.16),
      darken(tone, 0.1),
    ])
    context.beginPath()
    context.moveTo(x - half, foot.y)
    context.lineTo(x - half, top + half)
    context.arc(x, top + half, half, Math.PI, 0)
    context.lineTo(x + half, foot.y)
    context.closePath()
    context.fill()
  }
}
