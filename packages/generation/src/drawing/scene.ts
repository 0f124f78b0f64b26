import type { Canvas, CanvasGradient, SKRSContext2D } from '@napi-rs/canvas'
import { createCanvas } from '@napi-rs/canvas'
import { fade } from './color.ts'
import type { Random } from './random.ts'

/** What a motif paints on. */
export interface Scene {
  readonly context: SKRSContext2D
  readonly width: number
  readonly height: number
  /** A thousandth of the side of a square of the same area: motifs measure in it. */
  readonly unit: number
  readonly random: Random
}

export type Motif = (scene: Scene) => void

export interface Point {
  readonly x: number
  readonly y: number
}

export function linear(
  context: SKRSContext2D,
  from: Point,
  to: Point,
  colors: readonly (string | readonly [at: number, color: string])[],
): CanvasGradient {
  const gradient = context.createLinearGradient(from.x, from.y, to.x, to.y)
  for (const [index, stop] of colors.entries()) {
    if (typeof stop === 'string') {
      gradient.addColorStop(index / Math.max(1, colors.length - 1), stop)
    } else {
      gradient.addColorStop(stop[0], stop[1])
    }
  }
  return gradient
}

/** A gradient from top to bottom of a strip. */
export function vertical(context: SKRSContext2D, top: number, bottom: number, colors: Parameters<typeof linear>[3]) {
  return linear(context, { x: 0, y: top }, { x: 0, y: bottom }, colors)
}

/** A glow that fades from its centre to nothing. */
export function glow(context: SKRSContext2D, center: Point, radius: number, color: string, opacity: number): void {
  const gradient = context.createRadialGradient(center.x, center.y, 0, center.x, center.y, radius)
  for (const [at, share] of [
    [0, 1],
    [0.25, 0.62],
    [0.5, 0.28],
    [0.75, 0.08],
    [1, 0],
  ] as const) {
    gradient.addColorStop(at, fade(color, opacity * share))
  }
  context.fillStyle = gradient
  context.fillRect(center.x - radius, center.y - radius, radius * 2, radius * 2)
}

export function disc(context: SKRSContext2D, center: Point, radius: number): void {
  context.beginPath()
  context.arc(center.x, center.y, radius, 0, Math.PI * 2)
  context.fill()
}

export function polygon(context: SKRSContext2D, points: readonly Point[]): void {
  context.beginPath()
  for (const [index, point] of points.entries()) {
    if (index === 0) {
      context.moveTo(point.x, point.y)
    } else {
      context.lineTo(point.x, point.y)
    }
  }
  context.closePath()
}

/** Everything from a line of points down to `bottom`. */
export function below(context: SKRSContext2D, line: readonly Point[], bottom: number): void {
  const first = line[0]
  const last = line[line.length - 1]
  if (!first || !last) {
    return
  }
  polygon(context, [...line, { x: last.x, y: bottom }, { x: first.x, y: bottom }])
}

/**
 * Paints on a smaller canvas and lays it over the scene enlarged: soft edges at a fraction of what a blur of the
 * full picture costs. `scale` is the small canvas's share of the full side.
 */
export function softly(
  scene: Scene,
  options: { scale: number; blur?: number; blend?: SKRSContext2D['globalCompositeOperation']; opacity?: number },
  paint: (context: SKRSContext2D) => void,
): void {
  const [width, height] = [Math.ceil(scene.width * options.scale), Math.ceil(scene.height * options.scale)]
  const small = createCanvas(width, height)
  const context = small.getContext('2d')
  context.scale(width / scene.width, height / scene.height)
  paint(context)
  scene.context.save()
  scene.context.globalCompositeOperation = options.blend ?? 'source-over'
  scene.context.globalAlpha = options.opacity ?? 1
  scene.context.imageSmoothingQuality = 'low'
  scene.context.drawImage(
    options.blur ? blurred(small, options.blur * options.scale) : small,
    0,
    0,
    scene.width,
    scene.height,
  )
  scene.context.restore()
}

/** One blur of a finished picture: as a filter on each stroke it would cost a millisecond a stroke. */
function blurred(source: Canvas, radius: number): Canvas {
  const target = createCanvas(source.width, source.height)
  const context = target.getContext('2d')
  context.filter = `blur(${radius}px)`
  context.drawImage(source, 0, 0)
  return target
}

/** Darkens the corners a little, as a lens does. */
export function vignette(scene: Scene, opacity: number): void {
  const { width, height } = scene
  softly(scene, { scale: 0.125 }, (context) => {
    context.save()
    context.translate(width / 2, height / 2)
    context.scale(width / height, 1)
    const gradient = context.createRadialGradient(0, 0, height * 0.38, 0, 0, height * 0.78)
    gradient.addColorStop(0, 'rgba(0, 0, 0, 0)')
    gradient.addColorStop(1, `rgba(0, 0, 0, ${opacity})`)
    context.fillStyle = gradient
    context.fillRect(-height, -height, height * 2, height * 2)
    context.restore()
  })
}

/** Small random stars, brighter ones with a faint halo. */
export function stars(scene: Scene, count: number, bottom: number, color = '#ffffff'): void {
  const { context, random, unit } = scene
  for (let index = 0; index < count; index += 1) {
    const place = { x: random.next() * scene.width, y: random.next() ** 1.3 * bottom }
    const size = random.next() ** 6
    context.fillStyle = fade(color, random.between(0.35, 0.95) * (1 - (place.y / bottom) ** 2 * 0.8))
    disc(context, place, (0.5 + size * 1.5) * unit)
    if (size > 0.5) {
      glow(context, place, 14 * unit * size, color, 0.35)
    }
  }
}
