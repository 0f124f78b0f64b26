import { along, darken, fade, lighten, mix } from '../color.ts'
import { createField, type Random } from '../random.ts'
import { disc, glow, type Point, polygon, type Scene, softly, vertical } from '../scene.ts'
import { BLOCKS, type Blocks } from './blocks.ts'

/** One cell of the land: a column of whole steps. */
interface Column {
  readonly center: Point
  readonly steps: number
  readonly half: number
  readonly blocks: Blocks
}

/** A small world of cubes: terraced land with trees and houses, floating or from edge to edge. */
export function drawIsometric(scene: Scene): void {
  const blocks = scene.random.pick(BLOCKS)
  const { context, width, height, random } = scene
  context.fillStyle = vertical(context, 0, height, blocks.sky)
  context.fillRect(0, 0, width, height)
  const isIsland = width / height < 1.5 && width / height > 0.7 && random.chance(0.6)
  if (isIsland) {
    paintBackdrop(scene, blocks)
    const across = random.integer(12, 14)
    const half = Math.min(width * 0.88, height * 1.1) / (across * 2)
    const top = { x: width / 2, y: height * 0.5 - (across * half) / 2 - half }
    paintLand(scene, blocks, { across, half, top, isIsland })
    return
  }
  const half = 38 * scene.unit
  const across = Math.ceil((width + height * 2) / (half * 2)) + 4
  paintLand(scene, blocks, { across, half, top: { x: width / 2, y: -across * half * 0.5 + height / 2 }, isIsland })
  softly(scene, { scale: 0.125, opacity: 0.5 }, (soft) => {
    soft.fillStyle = vertical(soft, 0, height * 0.35, [blocks.sky[0] ?? '#ffffff', fade(blocks.sky[0] ?? '#ffffff', 0)])
    soft.fillRect(0, 0, width, height * 0.35)
  })
}

/** Cell by cell, from the back to the front. */
function paintLand(
  scene: Scene,
  blocks: Blocks,
  plan: { across: number; half: number; top: Point; isIsland: boolean },
): void {
  const { width, height, random } = scene
  const { across, half, top, isIsland } = plan
  const land = createLand(random, isIsland ? across : 0)
  for (let diagonal = 0; diagonal < across * 2 - 1; diagonal += 1) {
    for (let column = Math.max(0, diagonal - across + 1); column <= Math.min(across - 1, diagonal); column += 1) {
      const row = diagonal - column
      const center = { x: top.x + (column - row) * half, y: top.y + (column + row + 1) * half * 0.5 }
      const isSeen =
        Math.abs(center.x - width / 2) <= width / 2 + half && center.y >= -half && center.y <= height + half * 9
      if (isSeen) {
        paintCell(scene, { center, steps: land(column, row), half, blocks }, isIsland && isEdge(column, row, across))
      }
    }
  }
}

const SEA = 1

/** Heights in whole steps; `side` above 0 lowers the land towards the edge of an island of that many cells. */
function createLand(random: Random, side: number): (column: number, row: number) => number {
  const coarse = createField(random)
  const fine = createField(random)
  const shift = random.between(0, 100)
  return (column, row) => {
    let value = coarse(shift + column / 5.2, row / 5.2) * 0.85 + fine(column / 2.1, shift + row / 2.1) * 0.28
    if (side > 0) {
      const away = Math.hypot(column - (side - 1) / 2, row - (side - 1) / 2) / (side / 2)
      value += 0.92 - away * 1.02
    } else {
      value += 0.16
    }
    return Math.max(0, Math.round(value * (side > 0 ? 6.2 : 4.2) + 1.3))
  }
}

function isEdge(column: number, row: number, across: number): boolean {
  return column === across - 1 || row === across - 1
}

function paintBackdrop(scene: Scene, blocks: Blocks): void {
  const { context, width, height, unit, random } = scene
  const sun = { x: width * random.between(0.25, 0.75), y: height * random.between(0.2, 0.3) }
  softly(scene, { scale: 0.125 }, (soft) =>
    glow(soft, sun, height * 0.55, lighten(blocks.sky[1] ?? '#ffffff', 0.6), 0.75),
  )
  context.fillStyle = fade(lighten(blocks.sky[1] ?? '#ffffff', 0.35), 0.5)
  disc(context, sun, 120 * unit)
  context.fillStyle = fade(lighten(blocks.sky[1] ?? '#ffffff', 0.5), 0.6)
  for (let cloud = 0; cloud < 6; cloud += 1) {
    const place = { x: random.next() * width, y: random.between(0.06, 0.94) * height }
    const size = random.between(18, 44) * unit
    context.beginPath()
    context.roundRect(place.x - size * 2, place.y - size * 0.4, size * 4, size * 0.8, size * 0.4)
    context.roundRect(place.x - size * 1.1, place.y - size, size * 2, size * 1.2, size * 0.6)
    context.fill()
  }
}

function paintCell(scene: Scene, column: Column, hasBase: boolean): void {
  const { random } = scene
  const { blocks, half, center } = column
  const step = half * 0.5
  if (hasBase) {
    paintBase(scene, column)
  }
  if (column.steps <= SEA) {
    const top = center.y - SEA * step + step * 0.3
    cube(
      scene,
      { x: center.x, y: top },
      half,
      step * 0.7,
      mix(blocks.water, lighten(blocks.water, 0.25), random.next() * 0.5),
    )
    if (random.chance(0.12)) {
      sparkle(scene, { x: center.x, y: top }, half)
    }
    return
  }
  const tone = along(blocks.ground, (column.steps - 2) / 5.5 + random.between(-0.03, 0.03))
  const top = { x: center.x, y: center.y - column.steps * step }
  cube(scene, top, half, column.steps * step + half * 0.2, tone)
  const mayGrow = column.steps >= 3 && column.steps <= 5
  if (mayGrow && random.chance(0.3)) {
    tree(scene, top, half, random.pick(blocks.trees))
  } else if (column.steps >= 2 && column.steps <= 4 && random.chance(0.12)) {
    house(scene, top, half, blocks)
  }
}

/** The cut side of an island: earth that ends in uneven blocks. */
function paintBase(scene: Scene, column: Column): void {
  const { random } = scene
  const { half, center, blocks } = column
  const earth = mix(blocks.ground[2] ?? '#886644', '#6b4a3a', 0.72)
  cube(scene, center, half, half * random.between(1.1, 2.4), earth)
  cube(scene, center, half, half * 0.6, lighten(earth, 0.12))
}

/** A box whose top face has its middle at `top`. */
function cube(scene: Scene, top: Point, half: number, tall: number, color: string): void {
  const { context } = scene
  const quarter = half / 2
  const seam = 0.4
  polygon(context, [
    { x: top.x - half - seam, y: top.y },
    { x: top.x + seam, y: top.y + quarter },
    { x: top.x + seam, y: top.y + quarter + tall },
    { x: top.x - half - seam, y: top.y + tall },
  ])
  context.fillStyle = mix(color, '#2a2350', 0.2)
  context.fill()
  polygon(context, [
    { x: top.x + half + seam, y: top.y },
    { x: top.x, y: top.y + quarter },
    { x: top.x, y: top.y + quarter + tall },
    { x: top.x + half + seam, y: top.y + tall },
  ])
  context.fillStyle = mix(color, '#2a2350', 0.4)
  context.fill()
  polygon(context, [
    { x: top.x, y: top.y - quarter },
    { x: top.x + half, y: top.y },
    { x: top.x, y: top.y + quarter },
    { x: top.x - half, y: top.y },
  ])
  context.fillStyle = lighten(color, 0.1)
  context.fill()
  context.strokeStyle = fade(lighten(color, 0.5), 0.35)
  context.lineWidth = Math.max(0.6, half * 0.025)
  context.stroke()
}

function sparkle(scene: Scene, top: Point, half: number): void {
  scene.context.strokeStyle = 'rgba(255, 255, 255, 0.6)'
  scene.context.lineWidth = half * 0.05
  scene.context.beginPath()
  scene.context.moveTo(top.x - half * 0.35, top.y)
  scene.context.lineTo(top.x - half * 0.05, top.y + half * 0.15)
  scene.context.moveTo(top.x + half * 0.1, top.y - half * 0.1)
  scene.context.lineTo(top.x + half * 0.3, top.y)
  scene.context.stroke()
}

function tree(scene: Scene, top: Point, half: number, color: string): void {
  const { context, random } = scene
  const size = half * random.between(0.42, 0.58)
  context.fillStyle = 'rgba(30, 25, 70, 0.2)'
  context.beginPath()
  context.ellipse(top.x + half * 0.12, top.y + half * 0.05, size, size * 0.5, 0, 0, Math.PI * 2)
  context.fill()
  cube(scene, { x: top.x, y: top.y - half * 0.25 }, half * 0.09, half * 0.25, '#7a5240')
  if (random.chance(0.5)) {
    for (let tier = 0; tier < 3; tier += 1) {
      cone(
        scene,
        { x: top.x, y: top.y - half * (0.2 + tier * 0.36) },
        size * (1 - tier * 0.22),
        half * 0.62,
        lighten(color, tier * 0.07),
      )
    }
    return
  }
  cube(scene, { x: top.x, y: top.y - half * 1 }, size * 0.85, half * 0.72, color)
  cube(scene, { x: top.x, y: top.y - half * 1.25 }, size * 0.5, half * 0.26, lighten(color, 0.08))
}

function cone(scene: Scene, foot: Point, half: number, tall: number, color: string): void {
  const { context } = scene
  const tip = { x: foot.x, y: foot.y - tall }
  polygon(context, [tip, { x: foot.x - half, y: foot.y }, { x: foot.x, y: foot.y + half * 0.5 }])
  context.fillStyle = lighten(color, 0.08)
  context.fill()
  polygon(context, [tip, { x: foot.x + half, y: foot.y }, { x: foot.x, y: foot.y + half * 0.5 }])
  context.fillStyle = mix(color, '#2a2350', 0.25)
  context.fill()
}

function house(scene: Scene, top: Point, half: number, blocks: Blocks): void {
  const { context, random } = scene
  const size = half * 0.6
  const tall = half * random.pick([0.7, 0.7, 1.3])
  const eaves = { x: top.x, y: top.y - tall }
  cube(scene, eaves, size, tall, blocks.walls)
  for (const side of [-1, 1]) {
    for (let floor = 0.3; floor < tall / half; floor += 0.6) {
      const x = eaves.x + side * size * 0.5
      const y = eaves.y + size * 0.25 + floor * half * 0.72
      polygon(context, [
        { x: x - size * 0.16, y: y + side * size * 0.08 },
        { x: x + size * 0.16, y: y - side * size * 0.08 },
        { x: x + size * 0.16, y: y - side * size * 0.08 + half * 0.26 },
        { x: x - size * 0.16, y: y + side * size * 0.08 + half * 0.26 },
      ])
      context.fillStyle = side < 0 ? blocks.window : darken(blocks.window, 0.12)
      context.fill()
    }
  }
  const roof = random.pick(blocks.roofs)
  cone(scene, { x: eaves.x, y: eaves.y + size * 0.06 }, size * 1.16, size * 1.05, roof)
}
