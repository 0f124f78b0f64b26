import { darken, fade, lighten, mix } from '../color.ts'
import { createNoise } from '../random.ts'
import { below, disc, type Point, polygon, type Scene } from '../scene.ts'
import { INKS, type Inks } from './inks.ts'

/** Flat shapes in few inks: rolling fields, round trees, a village. */
export function drawIllustration(scene: Scene): void {
  const inks = scene.random.pick(INKS)
  const { context, width, height, random, unit } = scene
  context.fillStyle = inks.sky
  context.fillRect(0, 0, width, height)
  const sun = { x: width * random.between(0.22, 0.78), y: height * random.between(0.22, 0.34) }
  for (const [grow, tint] of [
    [2.3, 0.82],
    [1.75, 0.66],
    [1.3, 0.42],
  ] as const) {
    context.fillStyle = mix(inks.sun, inks.sky, tint)
    disc(context, sun, 105 * unit * grow)
  }
  context.fillStyle = inks.sun
  disc(context, sun, 105 * unit)
  paintClouds(scene, inks)
  birds(scene, inks, sun)
  const layers = inks.hills.length
  for (const [layer, color] of inks.hills.entries()) {
    const crest = hillCrest(scene, height * (0.5 + (layer / layers) * 0.44), layer)
    const line: Point[] = []
    for (let x = -6; x <= width + 12; x += 6) {
      line.push({ x, y: crest(x) })
    }
    if (layer === 2) {
      village(scene, inks, crest)
    }
    plant(scene, inks, { crest, layer, color })
    below(context, line, height)
    context.fillStyle = color
    context.fill()
    furrows(scene, { line, crest, layer, color })
  }
}

function hillCrest(scene: Scene, base: number, layer: number): (x: number) => number {
  const noise = createNoise(scene.random, 2)
  const shift = scene.random.between(0, 50)
  return (x) => base - noise(shift + x / ((230 + layer * 40) * scene.unit)) * (62 - layer * 5) * scene.unit
}

interface Hill {
  readonly crest: (x: number) => number
  readonly layer: number
  readonly color: string
}

/** Field lines, dots or plain ground, clipped to the hill. */
function furrows(scene: Scene, hill: Hill & { readonly line: readonly Point[] }): void {
  const { context, height, random, unit } = scene
  const kind = hill.layer === 0 ? 'plain' : random.pick(['lines', 'dots', 'plain', 'rows'] as const)
  if (kind === 'plain') {
    return
  }
  context.save()
  below(context, hill.line, height)
  context.clip()
  context.strokeStyle = fade(lighten(hill.color, 0.35), 0.4)
  context.fillStyle = fade(lighten(hill.color, 0.35), 0.4)
  context.lineWidth = 2.2 * unit
  for (let row = 1; row < 9; row += 1) {
    furrow(scene, hill, kind, row)
  }
  context.restore()
}

function furrow(scene: Scene, hill: Hill, kind: 'lines' | 'dots' | 'rows', row: number): void {
  const { context, width, unit } = scene
  const drop = row * 17 * unit
  if (kind === 'lines') {
    context.beginPath()
    for (let x = -6; x <= width + 12; x += 12) {
      context.lineTo(x, hill.crest(x) + drop)
    }
    context.stroke()
    return
  }
  const gap = (kind === 'dots' ? 20 : 30) * unit
  for (let x = (row % 2) * gap * 0.5; x <= width; x += gap) {
    if (kind === 'dots') {
      disc(context, { x, y: hill.crest(x) + drop }, 2.6 * unit)
    } else {
      context.fillRect(x, hill.crest(x) + drop, gap * 0.5, 3 * unit)
    }
  }
}

function plant(scene: Scene, inks: Inks, hill: Hill): void {
  const { width, random, unit } = scene
  if (hill.layer === 0) {
    return
  }
  const count = Math.round(width / (hill.layer > 3 ? 150 : 88) / unit)
  for (let index = 0; index < count; index += 1) {
    const x = random.next() * width
    const size = (0.55 + hill.layer * 0.2) * random.between(0.75, 1.25)
    tree(scene, inks, { x, y: hill.crest(x) + 8 * unit * size }, size)
  }
}

function tree(scene: Scene, inks: Inks, foot: Point, size: number): void {
  const { context, random, unit } = scene
  const color = random.pick(inks.leaves)
  const tall = 74 * unit * size
  const kind = random.pick(['round', 'drop', 'pine', 'stack'] as const)
  context.fillStyle = inks.ink
  context.fillRect(foot.x - 1.8 * unit * size, foot.y - tall, 3.6 * unit * size, tall)
  // The whole crown in light, then its right half in shade.
  for (const isShade of [false, true]) {
    context.fillStyle = isShade ? darken(color, 0.14) : color
    context.beginPath()
    CROWNS[kind](scene, { foot, tall, isShade })
    context.fill()
  }
}

interface Crown {
  readonly foot: Point
  readonly tall: number
  /** Only the right half. */
  readonly isShade: boolean
}

const CROWNS: Readonly<Record<'round' | 'drop' | 'pine' | 'stack', (scene: Scene, crown: Crown) => void>> = {
  round: (scene, crown) => ball(scene, crown, { up: 1, grow: 0.4 }),
  stack(scene, crown) {
    for (const [up, grow] of [
      [0.9, 0.34],
      [1.28, 0.27],
      [1.58, 0.18],
    ] as const) {
      ball(scene, crown, { up, grow })
    }
  },
  drop({ context }, { foot, tall, isShade }) {
    const y = foot.y - tall
    context.moveTo(foot.x, y - tall * 0.7)
    context.quadraticCurveTo(foot.x + tall * 0.5, y + tall * 0.3, foot.x, y + tall * 0.42)
    if (!isShade) {
      context.quadraticCurveTo(foot.x - tall * 0.5, y + tall * 0.3, foot.x, y - tall * 0.7)
    }
  },
  pine({ context }, { foot, tall, isShade }) {
    for (let tier = 0; tier < 3; tier += 1) {
      const y = foot.y - tall * (0.3 + tier * 0.3)
      const half = tall * (0.3 - tier * 0.06)
      context.moveTo(foot.x, y - tall * 0.46)
      context.lineTo(isShade ? foot.x : foot.x - half, y)
      context.lineTo(foot.x + half, y)
      context.closePath()
    }
  },
}

function ball({ context }: Scene, { foot, tall, isShade }: Crown, place: { up: number; grow: number }): void {
  const y = foot.y - tall * place.up
  context.moveTo(foot.x, y)
  context.arc(foot.x, y, tall * place.grow, isShade ? -Math.PI / 2 : 0, isShade ? Math.PI / 2 : Math.PI * 2)
}

function village(scene: Scene, inks: Inks, crest: (x: number) => number): void {
  const { context, width, random, unit } = scene
  const middle = width * random.between(0.25, 0.75)
  for (let house = -2; house <= 2; house += 1) {
    const x = middle + house * 62 * unit + random.between(-8, 8) * unit
    const broad = random.between(40, 58) * unit
    const tall = random.between(36, 70) * unit
    const top = crest(x) - tall + 14 * unit
    const wall = random.pick(inks.walls)
    const roof = random.pick(inks.leaves)
    context.fillStyle = wall
    context.fillRect(x, top, broad, tall + 20 * unit)
    context.fillStyle = darken(wall, 0.12)
    context.fillRect(x + broad * 0.62, top, broad * 0.38, tall + 20 * unit)
    polygon(context, [
      { x: x - 6 * unit, y: top },
      { x: x + broad * 0.5, y: top - broad * 0.6 },
      { x: x + broad + 6 * unit, y: top },
    ])
    context.fillStyle = roof
    context.fill()
    context.fillStyle = inks.ink
    for (let pane = 0; pane < 2; pane += 1) {
      context.fillRect(x + broad * (0.16 + pane * 0.3), top + tall * 0.22, broad * 0.15, broad * 0.2)
    }
    if (house === 0) {
      steeple(scene, inks, { x: x + broad * 1.2, y: top })
    }
  }
}

function steeple(scene: Scene, inks: Inks, foot: Point): void {
  const { context, unit } = scene
  context.fillStyle = inks.walls[0] ?? '#ffffff'
  context.fillRect(foot.x, foot.y - 60 * unit, 26 * unit, 150 * unit)
  context.fillStyle = inks.ink
  polygon(context, [
    { x: foot.x - 4 * unit, y: foot.y - 60 * unit },
    { x: foot.x + 13 * unit, y: foot.y - 128 * unit },
    { x: foot.x + 30 * unit, y: foot.y - 60 * unit },
  ])
  context.fill()
  disc(context, { x: foot.x + 13 * unit, y: foot.y - 36 * unit }, 6 * unit)
}

function paintClouds(scene: Scene, inks: Inks): void {
  const { context, width, height, random, unit } = scene
  for (let cloud = 0; cloud < 5 * Math.max(1, width / height); cloud += 1) {
    const x = random.between(-0.05, 0.95) * width
    const y = random.between(0.06, 0.44) * height
    context.fillStyle = mix(
      inks.sky,
      random.chance(0.7) ? '#ffffff' : (inks.hills[0] ?? '#ffffff'),
      random.between(0.3, 0.7),
    )
    context.beginPath()
    for (let bar = 0; bar < 3; bar += 1) {
      const length = random.between(70, 190) * unit
      context.roundRect(x + random.between(-50, 50) * unit, y + bar * 17 * unit, length, 18 * unit, 9 * unit)
    }
    context.fill()
  }
}

function birds(scene: Scene, inks: Inks, sun: Point): void {
  const { context, random, unit } = scene
  context.strokeStyle = inks.ink
  context.lineCap = 'round'
  for (let bird = 0; bird < 7; bird += 1) {
    const place = { x: sun.x + random.between(-260, 260) * unit, y: sun.y + random.between(-110, 110) * unit }
    const span = random.between(7, 17) * unit
    context.lineWidth = span * 0.17
    context.beginPath()
    context.moveTo(place.x - span, place.y - span * 0.3)
    context.quadraticCurveTo(place.x - span * 0.4, place.y - span * 0.6, place.x, place.y)
    context.quadraticCurveTo(place.x + span * 0.4, place.y - span * 0.6, place.x + span, place.y - span * 0.3)
    context.stroke()
  }
}
