import { darken, fade, lighten, mix } from './color.ts'
import { createNoise, createRange } from './random.ts'
import { below, disc, glow, linear, type Point, polygon, type Scene, softly, stars, vertical, vignette } from './scene.ts'

interface Spell {
  readonly sky: readonly string[]
  readonly aurora: readonly string[]
  readonly moon: string
  readonly land: string
  readonly spark: string
}

const SPELLS: readonly Spell[] = [
  { sky: ['#070b2a', '#15205a', '#2f3f8f', '#6a5fb0'], aurora: ['#35f2b4', '#3fc7f5', '#8f6bff'], moon: '#f7efd8', land: '#0a0c26', spark: '#9ff5d8' },
  { sky: ['#12052e', '#3a1160', '#7a2a86', '#d9628f'], aurora: ['#ff7bd0', '#b07bff', '#5fd8ff'], moon: '#ffe0ea', land: '#14052a', spark: '#ffb8ea' },
  { sky: ['#031a24', '#07414c', '#12786f', '#7cc79a'], aurora: ['#c8ff7a', '#4dffb0', '#3fd5ff'], moon: '#f3ffe0', land: '#031418', spark: '#e4ff9a' },
  { sky: ['#1a0b1e', '#4a1838', '#9a3444', '#f08a4b'], aurora: ['#ffd166', '#ff8f5c', '#ff5c8a'], moon: '#fff0cf', land: '#170714', spark: '#ffdf8a' },
  { sky: ['#0a0a1f', '#1f1c4d', '#463a86', '#9a86cf'], aurora: ['#7ad7ff', '#b9a3ff', '#ff9ad5'], moon: '#eef0ff', land: '#0b0a20', spark: '#cfe3ff' },
]

/** Moons and auroras over floating islands, or over a castle among crystal peaks. */
export function drawFantasy(scene: Scene): void {
  const spell = scene.random.pick(SPELLS)
  const { context, width, height, random, unit } = scene
  context.fillStyle = vertical(context, 0, height * 0.85, spell.sky)
  context.fillRect(0, 0, width, height)
  stars(scene, 380, height * 0.8)
  const moon = { x: width * random.between(0.24, 0.76), y: height * random.between(0.25, 0.38) }
  paintMoon(scene, moon, random.between(120, 190) * unit, spell)
  const side = moon.x > width / 2 ? -1 : 1
  paintMoon(scene, { x: moon.x + side * random.between(240, 330) * unit, y: moon.y - random.between(60, 150) * unit }, random.between(26, 52) * unit, spell)
  paintAurora(scene, spell)
  paintPeaks(scene, spell, random.chance(0.5))
  paintIslands(scene, spell)
  paintFront(scene, spell)
  vignette(scene, 0.4)
}

function paintMoon(scene: Scene, center: Point, radius: number, spell: Spell): void {
  const { context, random, unit } = scene
  softly(scene, { scale: 0.125, blend: 'screen' }, (soft) => glow(soft, center, radius * 3.2, spell.moon, 0.5))
  context.save()
  context.beginPath()
  context.arc(center.x, center.y, radius, 0, Math.PI * 2)
  context.clip()
  context.fillStyle = linear(context, { x: center.x - radius, y: center.y - radius }, { x: center.x + radius, y: center.y + radius }, [lighten(spell.moon, 0.25), mix(spell.moon, spell.sky[2] ?? spell.moon, 0.16), mix(spell.moon, spell.sky[2] ?? spell.moon, 0.78)])
  context.fillRect(center.x - radius, center.y - radius, radius * 2, radius * 2)
  for (let crater = 0; crater < 26; crater += 1) {
    const place = { x: center.x + random.between(-1, 1) * radius, y: center.y + random.between(-1, 1) * radius }
    const size = random.between(0.03, 0.15) * radius
    context.fillStyle = fade(mix(spell.moon, spell.sky[2] ?? spell.moon, 0.6), 0.34)
    disc(context, place, size)
    context.fillStyle = fade(lighten(spell.moon, 0.5), 0.2)
    disc(context, { x: place.x + size * 0.18, y: place.y + size * 0.18 }, size * 0.82)
  }
  context.restore()
  if (radius > 100 * unit && random.chance(0.5)) ring(scene, center, radius, spell)
}

/** Rings about a planet; the far half is hidden behind it. */
function ring(scene: Scene, center: Point, radius: number, spell: Spell): void {
  const { context, random } = scene
  const tilt = random.between(-0.5, 0.5)
  context.save()
  context.translate(center.x, center.y)
  context.rotate(tilt)
  for (const [reach, thick, opacity] of [[1.5, 0.035, 0.8], [1.62, 0.06, 0.5], [1.78, 0.03, 0.7]] as const) {
    context.strokeStyle = fade(spell.moon, opacity)
    context.lineWidth = radius * thick
    const hidden = Math.acos(Math.min(1, 0.9 / reach))
    context.beginPath()
    context.ellipse(0, 0, radius * reach, radius * reach * 0.26, 0, -Math.PI / 2 + Math.PI / 2 - hidden, Math.PI + hidden)
    context.stroke()
  }
  context.restore()
}

function paintAurora(scene: Scene, spell: Spell): void {
  const { width, height, random, unit } = scene
  softly(scene, { scale: 0.2, blur: 7 * unit, blend: 'screen', opacity: 0.9 }, (soft) => {
    for (const [index, color] of spell.aurora.entries()) {
      const noise = createNoise(random, 3)
      const ray = createNoise(random, 2)
      const base = height * (0.36 + index * 0.09)
      const step = 7 * unit
      for (let x = -20; x < width + 20; x += step) {
        const foot = base + noise(x / (260 * unit) + index * 5) * height * 0.17
        const strength = 0.12 + 0.5 * Math.max(0, ray(x / (38 * unit) + index * 31)) + 0.1 * ray(x / (9 * unit))
        const tall = height * (0.2 + 0.16 * Math.max(0, ray(x / (110 * unit))))
        soft.fillStyle = vertical(soft, foot - tall, foot + tall * 0.12, [fade(color, 0), fade(color, strength * 0.5), fade(lighten(color, 0.3), strength), fade(color, 0)])
        soft.fillRect(x, foot - tall, step + 1, tall * 1.12)
      }
    }
  })
}

function paintPeaks(scene: Scene, spell: Spell, hasCastle: boolean): void {
  const { context, width, height, random, unit } = scene
  const horizon = height * 0.8
  for (let layer = 0; layer < 3; layer += 1) {
    const depth = layer / 2
    const range = createRange(random)
    const rise = height * (0.2 - depth * 0.04)
    const line: Point[] = []
    for (let x = -4; x <= width + 8; x += 4 * unit) line.push({ x, y: horizon + depth * height * 0.09 - range(x / (105 * unit)) * rise })
    const tone = mix(mix(spell.sky[3] ?? spell.land, spell.land, 0.35), spell.land, 0.25 + depth * 0.5)
    const peak = layer === 1 && hasCastle ? summit(line, width) : undefined
    if (peak) castle(scene, spell, peak)
    below(context, peak ? shoulders(line, peak, unit) : line, height)
    context.fillStyle = vertical(context, horizon - rise, horizon + height * 0.12, [tone, mix(tone, spell.sky[3] ?? tone, 0.5 - depth * 0.25)])
    context.fill()
  }
}

function summit(line: readonly Point[], width: number): Point | undefined {
  const near = line.filter((point) => point.x > width * 0.2 && point.x < width * 0.8)
  return near.reduce((best, point) => (point.y < best.y ? point : best), near[0] ?? { x: width / 2, y: 0 })
}

/** Fills the flanks up to a gentle slope, for something to stand on. */
function shoulders(line: readonly Point[], peak: Point, unit: number): Point[] {
  return line.map(({ x, y }) => ({ x, y: Math.min(y, peak.y + Math.max(0, Math.abs(x - peak.x) - 40 * unit) * 0.75) }))
}

function castle(scene: Scene, spell: Spell, peak: Point): void {
  const { context, random, unit } = scene
  const stone = mix(spell.sky[2] ?? spell.land, spell.land, 0.55)
  for (let tower = -3; tower <= 3; tower += 1) {
    const tall = (150 - Math.abs(tower) * 26 + random.between(-14, 22)) * unit
    const broad = (20 - Math.abs(tower) * 1.5) * unit
    const x = peak.x + tower * 22 * unit
    const top = peak.y - tall * 0.62
    context.fillStyle = linear(context, { x: x - broad / 2, y: 0 }, { x: x + broad / 2, y: 0 }, [lighten(stone, 0.14), darken(stone, 0.25)])
    context.fillRect(x - broad / 2, top, broad, tall * 1.4)
    context.fillStyle = mix(spell.aurora[2] ?? stone, stone, 0.5)
    polygon(context, [{ x, y: top - broad * 2.1 }, { x: x - broad * 0.75, y: top }, { x: x + broad * 0.75, y: top }])
    context.fill()
    for (let light = 0; light < 3; light += 1) {
      context.fillStyle = random.chance(0.75) ? '#ffe6a0' : fade('#ffe6a0', 0.3)
      context.fillRect(x - 2 * unit, top + (12 + light * 22) * unit, 4 * unit, 8 * unit)
    }
  }
  glow(context, { x: peak.x, y: peak.y - 40 * unit }, 170 * unit, '#ffd98a', 0.28)
}

function paintIslands(scene: Scene, spell: Spell): void {
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
    polygon(context, [{ x, y: center.y - size * 2.6 }, { x: x - size * 0.7, y: center.y + 1 }, { x: x + size * 0.7, y: center.y + 1 }])
    context.fill()
  }
  const fall = center.x + random.between(-0.5, 0.5) * half
  context.fillStyle = vertical(context, center.y, center.y + half * 2.4, [fade(lighten(spell.spark, 0.5), 0.75), fade(spell.spark, 0)])
  context.fillRect(fall, center.y, half * 0.07, half * 2.4)
}

/** Dark ground with glowing crystals and drifting lights. */
function paintFront(scene: Scene, spell: Spell): void {
  const { context, width, height, random, unit } = scene
  const noise = createNoise(random, 4)
  const line: Point[] = []
  for (let x = -4; x <= width + 8; x += 4) line.push({ x, y: height * 0.93 - noise(x / (150 * unit)) * height * 0.045 })
  for (let cluster = 0; cluster < 5 * Math.max(1, width / height); cluster += 1) {
    const foot = line[random.integer(0, line.length - 1)] ?? { x: 0, y: height }
    const color = random.pick(spell.aurora)
    glow(context, foot, 130 * unit, color, 0.5)
    for (let shard = 0; shard < 5; shard += 1) {
      const lean = random.between(-0.6, 0.6)
      const tall = random.between(30, 92) * unit
      const tip = { x: foot.x + Math.sin(lean) * tall, y: foot.y - Math.cos(lean) * tall }
      const broad = tall * 0.13
      for (const [side, tone] of [[-1, lighten(color, 0.45)], [1, darken(color, 0.25)]] as const) {
        polygon(context, [tip, { x: foot.x + side * broad + lean * tall * 0.5, y: foot.y - tall * 0.42 }, { x: foot.x + side * broad * 0.6, y: foot.y + 20 * unit }, { x: foot.x, y: foot.y + 20 * unit }])
        context.fillStyle = fade(tone, 0.92)
        context.fill()
      }
    }
  }
  below(context, line, height)
  context.fillStyle = darken(spell.land, 0.25)
  context.fill()
  for (let light = 0; light < 44; light += 1) {
    const place = { x: random.next() * width, y: height * random.between(0.5, 0.98) }
    const size = random.between(1, 2.6) * unit
    glow(context, place, size * 7, spell.spark, 0.45)
    context.fillStyle = lighten(spell.spark, 0.6)
    disc(context, place, size)
  }
}
