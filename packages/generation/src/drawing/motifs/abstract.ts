import { along, darken, fade, lighten } from '../color.ts'
import { createField, createNoise } from '../random.ts'
import { disc, glow, linear, type Scene, softly, vignette } from '../scene.ts'

const RIBBONS: readonly (readonly string[])[] = [
  ['#0b132b', '#1c2f6b', '#5b3fb8', '#d64fa8', '#ff9a76', '#ffe3a0'],
  ['#04151f', '#0a4d68', '#0f9aa8', '#6fe0b8', '#f4f1a8', '#ff9a6b'],
  ['#1a0b2e', '#4a1566', '#a3247f', '#f0506e', '#ff9f45', '#fff0a8'],
  ['#10162a', '#25406b', '#4f82b8', '#9fcbe3', '#f2e8da', '#f0a58f'],
  ['#0d1f1a', '#1b4d3e', '#3a8c5c', '#a8cf6a', '#f5e58a', '#f59a4c'],
]

/** Silk: hundreds of fine lines that sway together over a soft field of colour. */
export function drawRibbons(scene: Scene): void {
  const { context, width, height, random, unit } = scene
  const colors = random.pick(RIBBONS)
  context.fillStyle = linear(context, { x: 0, y: 0 }, { x: width, y: height }, [
    colors[0] ?? '#000000',
    colors[1] ?? '#222222',
    colors[0] ?? '#000000',
  ])
  context.fillRect(0, 0, width, height)
  softly(scene, { scale: 0.125, blend: 'screen' }, (soft) => {
    for (let spot = 0; spot < 7; spot += 1) {
      glow(
        soft,
        { x: random.next() * width, y: random.next() * height },
        random.between(0.3, 0.6) * Math.max(width, height),
        along(colors, random.between(0.25, 0.8)),
        0.5,
      )
    }
  })
  for (let ribbon = 0; ribbon < 3; ribbon += 1) {
    silk(scene, colors, ribbon)
  }
  for (let spark = 0; spark < 60; spark += 1) {
    const place = { x: random.next() * width, y: random.next() * height }
    const size = random.next() ** 3 * 3.4 * unit + 0.6 * unit
    context.fillStyle = fade(lighten(along(colors, 0.9), 0.4), random.between(0.2, 0.8))
    disc(context, place, size)
    if (size > 2 * unit) {
      glow(context, place, size * 7, along(colors, 0.8), 0.5)
    }
  }
  vignette(scene, 0.3)
}

function silk(scene: Scene, colors: readonly string[], ribbon: number): void {
  const { context, width, height, random, unit } = scene
  const wave = createNoise(random, 2)
  const spread = createNoise(random, 2)
  const twist = createNoise(random, 1)
  const base = height * random.between(0.25, 0.75)
  const lines = 38
  const step = 26 * unit
  context.save()
  context.globalCompositeOperation = 'lighter'
  context.lineWidth = 1.6 * unit
  for (let line = 0; line < lines; line += 1) {
    const place = line / (lines - 1)
    const from = along(colors, 0.25 + place * 0.7)
    const to = along(colors, 0.95 - place * 0.6)
    context.strokeStyle = linear(context, { x: 0, y: 0 }, { x: width, y: 0 }, [
      fade(from, 0.1),
      fade(from, 0.5),
      fade(to, 0.34),
      fade(to, 0.08),
    ])
    context.beginPath()
    for (let x = -step; x <= width + step * 2; x += step) {
      const t = x / (330 * unit)
      const center = base + wave(t + ribbon * 11) * height * 0.34
      const breadth = (0.1 + Math.abs(spread(t * 0.9 + ribbon * 7)) * 0.62) * height * 0.5
      const turn = Math.cos(twist(t * 0.8) * 4 + place * Math.PI * 1.4)
      context.lineTo(x, center + turn * breadth)
    }
    context.stroke()
  }
  context.restore()
}

interface Poster {
  readonly paper: string
  readonly inks: readonly string[]
}

const POSTERS: readonly Poster[] = [
  { paper: '#f3ead7', inks: ['#e63946', '#1d3557', '#f4a261', '#2a9d8f', '#f3ead7', '#222831'] },
  { paper: '#f7f1e3', inks: ['#ff6b35', '#004e89', '#f7c59f', '#1a659e', '#efefd0', '#2b2d42'] },
  { paper: '#efe6dd', inks: ['#7b2d26', '#d7a449', '#0b7a75', '#19535f', '#f0f3f5', '#d86f5c'] },
  { paper: '#161a2b', inks: ['#f25f5c', '#ffe066', '#247ba0', '#70c1b3', '#f4f1de', '#50514f'] },
  { paper: '#f4eef7', inks: ['#5f4bb6', '#ff8fa3', '#26c485', '#32908f', '#ffd166', '#2d2a4a'] },
]

/** A poster of tiles in the manner of the Bauhaus: quarter rounds, rings, stripes. */
export function drawTiles(scene: Scene): void {
  const { context, width, height, random } = scene
  const poster = random.pick(POSTERS)
  context.fillStyle = poster.paper
  context.fillRect(0, 0, width, height)
  const rows = Math.max(4, Math.round((6 * height) / Math.sqrt(width * height)))
  const side = height / rows
  const columns = Math.ceil(width / side)
  const left = (width - columns * side) / 2
  const cluster = createField(random)
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const isLarge = cluster(column / 2, row / 2) > 0.42 && column % 2 === 0 && row % 2 === 0
      context.save()
      context.translate(left + column * side, row * side)
      context.beginPath()
      context.rect(0, 0, side + 0.5, side + 0.5)
      context.clip()
      tile(scene, poster, isLarge ? side * 2 : side)
      context.restore()
    }
  }
  softly(scene, { scale: 0.125, blend: 'soft-light', opacity: 0.8 }, (soft) => {
    soft.fillStyle = linear(soft, { x: 0, y: 0 }, { x: width, y: height }, ['#fff6e0', '#8a8296', '#2a2140'])
    soft.fillRect(0, 0, width, height)
  })
}

function tile(scene: Scene, poster: Poster, side: number): void {
  const { context, random } = scene
  const ground = random.pick([poster.paper, ...poster.inks])
  const ink = random.pick(poster.inks.filter((color) => color !== ground))
  const second = random.pick(poster.inks.filter((color) => color !== ground && color !== ink))
  context.fillStyle = ground
  context.fillRect(0, 0, side, side)
  context.translate(side / 2, side / 2)
  context.rotate((random.integer(0, 3) * Math.PI) / 2)
  context.translate(-side / 2, -side / 2)
  const center = { x: side / 2, y: side / 2 }
  context.fillStyle = ink
  switch (random.pick(['quarter', 'quarter', 'rings', 'half', 'stripes', 'dot', 'leaf', 'stairs'] as const)) {
    case 'quarter':
      disc(context, { x: 0, y: 0 }, side)
      context.fillStyle = second
      disc(context, { x: 0, y: 0 }, side * 0.5)
      break
    case 'rings':
      for (let ring = 4; ring > 0; ring -= 1) {
        context.fillStyle = ring % 2 === 0 ? ink : ground
        disc(context, { x: 0, y: 0 }, (side * ring) / 4)
      }
      break
    case 'half':
      context.beginPath()
      context.arc(0, side / 2, side / 2, -Math.PI / 2, Math.PI / 2)
      context.arc(side / 2, side / 2, side / 2, -Math.PI / 2, Math.PI / 2)
      context.fill('evenodd')
      break
    case 'stripes':
      for (let stripe = 0; stripe < 4; stripe += 1) {
        context.fillRect(0, (stripe * side) / 4, side, side / 8)
      }
      break
    case 'dot':
      disc(context, center, side * 0.36)
      context.fillStyle = second
      disc(context, center, side * 0.15)
      break
    case 'leaf':
      context.beginPath()
      context.moveTo(0, 0)
      context.arc(side, 0, side, Math.PI, Math.PI / 2, true)
      context.arc(0, side, side, 0, -Math.PI / 2, true)
      context.fill()
      break
    case 'stairs':
      for (let stair = 0; stair < 4; stair += 1) {
        context.fillRect(0, (stair * side) / 4, (side * (stair + 1)) / 4, side / 4 + 0.5)
      }
      context.fillStyle = darken(second, 0.05)
      disc(context, { x: side * 0.72, y: side * 0.26 }, side * 0.16)
      break
  }
}
