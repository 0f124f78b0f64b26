import type { SKRSContext2D } from '@napi-rs/canvas'
import { fade } from '../color.ts'
import type { Random } from '../random.ts'
import { type Point, polygon, type Scene } from '../scene.ts'

/** Breaks each edge up again and again, so that it runs as wet paint does. */
export function ragged(
  random: Random,
  outline: readonly Point[],
  options: { rounds: number; amount: number },
): Point[] {
  let points = [...outline]
  let { amount } = options
  for (let round = 0; round < options.rounds; round += 1) {
    points = points.flatMap((point, index) => {
      const next = points[(index + 1) % points.length] ?? point
      return [
        point,
        {
          x: (point.x + next.x) / 2 + random.between(-amount, amount),
          y: (point.y + next.y) / 2 + random.between(-amount, amount),
        },
      ]
    })
    amount *= 0.62
  }
  return points
}

/** One wash: thin coats with slightly different edges, and a dark rim where the pigment dried. */
export function wash(
  scene: Scene,
  outline: readonly Point[],
  options: {
    fill: SKRSContext2D['fillStyle']
    rim: string
    coats: number
    opacity: number
    amount: number
    rounds?: number
  },
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

/** A soft round spot with an uneven outline. */
export function blob(scene: Scene, center: Point, radius: number, color: string, opacity: number): void {
  const outline = Array.from({ length: 18 }, (_, index) => {
    const angle = (index / 18) * Math.PI * 2
    const reach = radius * scene.random.between(0.92, 1.06)
    return { x: center.x + Math.cos(angle) * reach, y: center.y + Math.sin(angle) * reach }
  })
  wash(scene, outline, {
    fill: color,
    rim: fade(color, 0.32),
    coats: 3,
    opacity: opacity * 0.55,
    amount: radius * 0.06,
  })
}

/** Clear water dropped into wet paint: pale or dark flowers with soft edges. */
export function blooms(
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
