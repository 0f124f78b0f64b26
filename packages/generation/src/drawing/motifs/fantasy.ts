import { darken, fade, lighten, mix } from '../color.ts'
import { createNoise, createRange } from '../random.ts'
import {
  below,
  disc,
  glow,
  linear,
  type Point,
  polygon,
  type Scene,
  softly,
  stars,
  vertical,
  vignette,
} from '../scene.ts'
import { castle, paintIslands, shoulders, summit } from './fantasy-places.ts'
import { SPELLS, type Spell } from './spell.ts'

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
  paintMoon(
    scene,
    { x: moon.x + side * random.between(240, 330) * unit, y: moon.y - random.between(60, 150) * unit },
    random.between(26, 52) * unit,
    spell,
  )
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
  context.fillStyle = linear(
    context,
    { x: center.x - radius, y: center.y - radius },
    { x: center.x + radius, y: center.y + radius },
    [
      lighten(spell.moon, 0.25),
      mix(spell.moon, spell.sky[2] ?? spell.moon, 0.16),
      mix(spell.moon, spell.sky[2] ?? spell.moon, 0.78),
    ],
  )
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
  if (radius > 100 * unit && random.chance(0.5)) {
    ring(scene, center, radius, spell)
  }
}

/** Rings about a planet; the far half is hidden behind it. */
function ring(scene: Scene, center: Point, radius: number, spell: Spell): void {
  const { context, random } = scene
  const tilt = random.between(-0.5, 0.5)
  context.save()
  context.translate(center.x, center.y)
  context.rotate(tilt)
  for (const [reach, thick, opacity] of [
    [1.5, 0.035, 0.8],
    [1.62, 0.06, 0.5],
    [1.78, 0.03, 0.7],
  ] as const) {
    context.strokeStyle = fade(spell.moon, opacity)
    context.lineWidth = radius * thick
    const hidden = Math.acos(Math.min(1, 0.9 / reach))
    context.beginPath()
    context.ellipse(
      0,
      0,
      radius * reach,
      radius * reach * 0.26,
      0,
      -Math.PI / 2 + Math.PI / 2 - hidden,
      Math.PI + hidden,
    )
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
        soft.fillStyle = vertical(soft, foot - tall, foot + tall * 0.12, [
          fade(color, 0),
          fade(color, strength * 0.5),
          fade(lighten(color, 0.3), strength),
          fade(color, 0),
        ])
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
    for (let x = -4; x <= width + 8; x += 4 * unit) {
      line.push({ x, y: horizon + depth * height * 0.09 - range(x / (105 * unit)) * rise })
    }
    const tone = mix(mix(spell.sky[3] ?? spell.land, spell.land, 0.35), spell.land, 0.25 + depth * 0.5)
    const peak = layer === 1 && hasCastle ? summit(line, width) : undefined
    if (peak) {
      castle(scene, spell, peak)
    }
    below(context, peak ? shoulders(line, peak, unit) : line, height)
    context.fillStyle = vertical(context, horizon - rise, horizon + height * 0.12, [
      tone,
      mix(tone, spell.sky[3] ?? tone, 0.5 - depth * 0.25),
    ])
    context.fill()
  }
}

/** Dark ground with glowing crystals and drifting lights. */
function paintFront(scene: Scene, spell: Spell): void {
  const { context, width, height, random, unit } = scene
  const noise = createNoise(random, 4)
  const line: Point[] = []
  for (let x = -4; x <= width + 8; x += 4) {
    line.push({ x, y: height * 0.93 - noise(x / (150 * unit)) * height * 0.045 })
  }
  for (let cluster = 0; cluster < 5 * Math.max(1, width / height); cluster += 1) {
    const foot = line[random.integer(0, line.length - 1)] ?? { x: 0, y: height }
    const color = random.pick(spell.aurora)
    glow(context, foot, 130 * unit, color, 0.5)
    for (let shard = 0; shard < 5; shard += 1) {
      const lean = random.between(-0.6, 0.6)
      const tall = random.between(30, 92) * unit
      const tip = { x: foot.x + Math.sin(lean) * tall, y: foot.y - Math.cos(lean) * tall }
      const broad = tall * 0.13
      for (const [side, tone] of [
        [-1, lighten(color, 0.45)],
        [1, darken(color, 0.25)],
      ] as const) {
        polygon(context, [
          tip,
          { x: foot.x + side * broad + lean * tall * 0.5, y: foot.y - tall * 0.42 },
          { x: foot.x + side * broad * 0.6, y: foot.y + 20 * unit },
          { x: foot.x, y: foot.y + 20 * unit },
        ])
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
