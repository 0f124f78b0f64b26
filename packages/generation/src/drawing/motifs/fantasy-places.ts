import { darken, fade, lighten, mix } from '../color.ts'
import { glow, linear, type Point, polygon, type Scene, vertical } from '../scene.ts'
import type { Spell } from './spell.ts'

export function summit(line: readonly Point[], width: number): Point | undefined {
  const near = line.filter((point) => point.x > width * 0.2 && point.x < width * 0.8)
  return near.reduce((best, point) => (point.y < best.y ? point : best), near[0] ?? { x: width / 2, y: 0 })
}

/** Fills the flanks up to a gentle slope, for something to stand on. */
export function shoulders(line: readonly Point[], peak: Point, unit: number): Point[] {
  return line.map(({ x, y }) => ({ x, y: Math.min(y, peak.y + Math.max(0, Math.abs(x - peak.x) - 40 * unit) * 0.75) }))
}

export function castle(scene: Scene, spell: Spell, peak: Point): void {
  const { context, random, unit } = scene
  const stone = mix(spell.sky[2] ?? spell.land, spell.land, 0.55)
  for (let tower = -3; tower <= 3; tower += 1) {
    const tall = (150 - Math.abs(tower) * 26 + random.between(-14, 22)) * unit
    const broad = (20 - Math.abs(tower) * 1.5) * unit
    const x = peak.x + tower * 22 * unit
    const top = peak.y - tall * 0.62
    context.fillStyle = linear(context, { x: x - broad / 2, y: 0 }, { x: x + broad / 2, y: 0 }, [
      lighten(stone, 0.14),
      darken(stone, 0.25),
    ])
    context.fillRect(x - broad / 2, top, broad, tall * 1.4)
    context.fillStyle = mix(spell.aurora[2] ?? stone, stone, 0.5)
    polygon(context, [
      { x, y: top - broad * 2.1 },
      { x: x - broad * 0.75, y: top },
      { x: x + broad * 0.75, y: top },
    ])
    context.fill()
    for (let light = 0; light < 3; light += 1) {
      context.fillStyle = random.chance(0.75) ? '#ffe6a0' : fade('#ffe6a0', 0.3)
      context.fillRect(x - 2 * unit, top + (12 + light * 22) * unit, 4 * unit, 8 * unit)
    }
  }
  glow(context, { x: peak.x, y: peak.y - 40 * unit }, 170 * unit, '#ffd98a', 0.28)
}

export function paintIslands(scene: Scene, spell: Spell): void {
  const { width, height, random, unit } = scene
  const count = Math.round(2 + Math.max(1, width / height))
  for (let index = 0; index < count; index += 1) {
    const half = random.between(44, 120) * unit
    const x = ((index + random.between(0.15, 0.85)) / count) * width
    floatingIsland(scene, { x, y: height * random.between(0.36, 0.66) }, half, spell)
  }
}

function floatingIsland(scene: Scene, center: Point, half: number, spell: Spell): void {
  const { context, random } = scene
  const rock = mix(spell.sky[3] ?? spell.land, spell.land, 0.62)
  const outline: Point[] = []
  for (let step = 0; step <= 14; step += 1) {
    const t = step / 14
    const deep = Math.sin(Math.PI * t) ** 1.4 * half * random.between(0.7, 1.15)
    outline.push({ x: center.x + half * (1 - t * 2), y: center.y + deep })
  }
  polygon(context, [{ x: center.x - half, y: center.y }, { x: center.x + half, y: center.y }, ...outline])
  context.fillStyle = linear(context, center, { x: center.x, y: center.y + half }, [rock, darken(rock, 0.45)])
  context.fill()
  const green = mix(spell.spark, spell.land, 0.5)
  context.fillStyle = green
  context.beginPath()
  context.ellipse(center.x, center.y, half * 1.03, half * 0.13, 0, 0, Math.PI * 2)
  context.fill()
  for (let tree = 0; tree < 7; tree += 1) {
    const x = center.x + random.between(-0.75, 0.75) * half
    const size = half * random.between(0.1, 0.2)
    context.fillStyle = darken(green, random.between(0.05, 0.4))
    polygon(context, [
      { x, y: center.y - size * 2.6 },
      { x: x - size * 0.7, y: center.y + 1 },
      { x: x + size * 0.7, y: center.y + 1 },
    ])
    context.fill()
  }
  const fall = center.x + random.between(-0.5, 0.5) * half
  context.fillStyle = vertical(context, center.y, center.y + half * 2.4, [
    fade(lighten(spell.spark, 0.5), 0.75),
    fade(spell.spark, 0),
  ])
  context.fillRect(fall, center.y, half * 0.07, half * 2.4)
}
