import { fade } from '../color.ts'
import { disc, type Point, type Scene } from '../scene.ts'
import type { Cel } from './cel.ts'

interface Puff extends Point {
  readonly radius: number
}

export function paintClouds(scene: Scene, cel: Cel, horizon: number, sun: Point): void {
  const { width, height } = scene
  const towers = Math.max(2, Math.round((width / height) * 2.4))
  for (let index = 0; index < 6 * Math.max(1, width / height); index += 1) {
    wisp(scene, cel)
  }
  for (const isBehind of [true, false]) {
    for (let tower = 0; tower < towers; tower += 1) {
      const left = tower / towers
      cumulus(scene, heap(scene, { left, right: left + 1 / towers, horizon, isBehind }), cel, sun)
    }
  }
}

/** Rounds that make a tower, or with `isBehind` off the low bank in front; the highest first. */
function heap(scene: Scene, place: { left: number; right: number; horizon: number; isBehind: boolean }): Puff[] {
  const { width, height, random, unit } = scene
  const x = (place.left + (place.right - place.left) * random.between(0.1, 0.9)) * width
  const tall = (place.isBehind ? random.between(0.28, 0.5) : random.between(0.1, 0.2)) * height
  const broad = tall * random.between(0.6, 0.95) + (place.isBehind ? 0 : 90 * unit)
  const puffs = Array.from({ length: place.isBehind ? 46 : 26 }, () => {
    const level = random.next() ** 1.2
    const breadth = broad * (1 - level ** 1.5) * 0.62 + 24 * unit
    return {
      x: x + random.between(-1, 1) * breadth,
      y: place.horizon + 30 * unit - level * tall,
      radius: (tall * 0.17 * (1 - level * 0.55) + 10 * unit) * random.between(0.65, 1.15),
    }
  })
  return puffs.sort((one, other) => one.y - other.y)
}

/** A heap of rounds in three flat tones, lit from the sun's side. */
function cumulus(scene: Scene, puffs: readonly Puff[], cel: Cel, sun: Point): void {
  const { context } = scene
  const middle = puffs[Math.floor(puffs.length / 2)] ?? sun
  const angle = Math.atan2(sun.y - middle.y, sun.x - middle.x)
  const light = { x: Math.cos(angle), y: Math.min(-0.45, Math.sin(angle)) }
  const heap = Math.ceil(puffs.length / 5)
  for (let start = 0; start < puffs.length; start += heap) {
    for (const [tone, shift, size] of [
      [2, 0, 1],
      [1, 0.17, 0.92],
      [0, 0.36, 0.78],
    ] as const) {
      context.fillStyle = cel.cloud[tone]
      for (const puff of puffs.slice(start, start + heap)) {
        disc(
          context,
          { x: puff.x + light.x * puff.radius * shift, y: puff.y + light.y * puff.radius * shift },
          puff.radius * size,
        )
      }
    }
  }
}

function wisp(scene: Scene, cel: Cel): void {
  const { context, width, height, random, unit } = scene
  const y = height * random.between(0.05, 0.42)
  const x = random.between(-0.1, 1) * width
  context.fillStyle = fade(cel.cloud[0], random.between(0.25, 0.6))
  for (let streak = 0; streak < 4; streak += 1) {
    const length = random.between(50, 190) * unit
    const left = x + random.between(-40, 90) * unit
    const top = y + streak * 7 * unit
    context.beginPath()
    context.roundRect(left, top, length, random.between(2, 7) * unit, 4 * unit)
    context.fill()
  }
}
