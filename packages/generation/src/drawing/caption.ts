import type { SKRSContext2D } from '@napi-rs/canvas'
import { createCanvas } from '@napi-rs/canvas'
import { FONT } from './fonts.ts'
import type { Scene } from './scene.ts'

export interface Caption {
  readonly text: string
  /** The first is set off from the others. */
  readonly labels: readonly string[]
  readonly mark: string
}

interface Layout {
  readonly size: number
  readonly pad: number
  readonly lines: readonly string[]
  readonly labelSize: number
  readonly width: number
  readonly height: number
}

const LINES = 3

/** A panel of frosted glass in the lower left corner; a picture too small for one stays without. */
export function drawCaption(scene: Scene, caption: Caption): void {
  const { context, width, height } = scene
  const size = Math.max(10, Math.round(Math.sqrt(width * height) * 0.0235))
  const margin = Math.round(size * 1.15)
  const layout = measure(context, caption, { size, available: Math.min(width - margin * 2, size * 34) })
  if (layout === undefined || layout.height > height * 0.5) {
    return
  }
  const left = margin
  const top = height - margin - layout.height
  drawGlass(scene, { left, top, width: layout.width, height: layout.height, radius: size * 0.75 })
  context.textBaseline = 'alphabetic'
  context.fillStyle = '#ffffff'
  context.font = `600 ${size}px "${FONT}"`
  for (const [index, line] of layout.lines.entries()) {
    context.fillText(line, left + layout.pad, top + layout.pad * 0.8 + size * (1 + index * 1.34))
  }
  drawLabels(context, caption, layout, { left: left + layout.pad, bottom: top + layout.height - layout.pad * 0.85 })
}

function measure(
  context: SKRSContext2D,
  caption: Caption,
  options: { size: number; available: number },
): Layout | undefined {
  const { size } = options
  const pad = Math.round(size * 0.95)
  const inner = options.available - pad * 2
  if (inner < size * 6) {
    return undefined
  }
  context.font = `600 ${size}px "${FONT}"`
  const lines = wrap(caption.text, inner, (text) => context.measureText(text).width)
  const widest = Math.max(...lines.map((line) => context.measureText(line).width))
  let labelSize = size * 0.68
  while (labelSize > size * 0.3 && labelsWidth(context, caption, labelSize) > inner) {
    labelSize *= 0.94
  }
  const width = Math.min(options.available, Math.max(widest, labelsWidth(context, caption, labelSize)) + pad * 2)
  const height = pad * 0.8 + size * (1.34 * lines.length - 0.02) + size * 0.42 + labelSize * 1.8 + pad * 0.85
  return { size, pad, lines, labelSize, width: Math.ceil(width), height: Math.ceil(height) }
}

const words = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Breaks a text into at most three lines, inside a word only where it alone is too wide. */
export function wrap(text: string, width: number, measureText: (text: string) => number): string[] {
  const lines: string[] = []
  let line = ''
  const pieces = text
    .split(' ')
    .flatMap((word) => (measureText(word) > width ? slices(word, width, measureText) : [word]))
  for (const [index, piece] of pieces.entries()) {
    const longer = line === '' ? piece : `${line} ${piece}`
    if (measureText(longer) <= width) {
      line = longer
      continue
    }
    if (lines.length === LINES - 1) {
      return [...lines, ellipsize(`${line} ${pieces.slice(index, index + 1).join('')}`, width, measureText)]
    }
    lines.push(line)
    line = piece
  }
  return [...lines, line]
}

function slices(word: string, width: number, measureText: (text: string) => number): string[] {
  const found: string[] = []
  let part = ''
  for (const { segment } of words.segment(word)) {
    if (part !== '' && measureText(part + segment) > width) {
      found.push(part)
      if (found.length > LINES) {
        return found
      }
      part = ''
    }
    part += segment
  }
  return [...found, part]
}

function ellipsize(text: string, width: number, measureText: (text: string) => number): string {
  const letters = [...words.segment(text)].map(({ segment }) => segment)
  let shown = letters.length
  while (shown > 0 && measureText(`${letters.slice(0, shown).join('').trimEnd()}…`) > width) {
    shown -= 1
  }
  return `${letters
    .slice(0, shown)
    .join('')
    .replace(/[\s,.;:–-]+$/, '')}…`
}

function drawGlass(
  scene: Scene,
  box: { left: number; top: number; width: number; height: number; radius: number },
): void {
  const { context } = scene
  const shrink = 10
  const small = createCanvas(Math.max(4, Math.round(box.width / shrink)), Math.max(4, Math.round(box.height / shrink)))
  const blurred = small.getContext('2d')
  blurred.filter = 'blur(2px)'
  blurred.drawImage(context.canvas, box.left, box.top, box.width, box.height, -2, -2, small.width + 4, small.height + 4)
  context.save()
  context.shadowColor = 'rgba(0, 0, 0, 0.35)'
  context.shadowBlur = box.radius * 1.2
  context.shadowOffsetY = box.radius * 0.3
  context.beginPath()
  context.roundRect(box.left, box.top, box.width, box.height, box.radius)
  context.fillStyle = '#11141c'
  context.fill()
  context.restore()
  context.save()
  context.beginPath()
  context.roundRect(box.left, box.top, box.width, box.height, box.radius)
  context.clip()
  context.imageSmoothingQuality = 'high'
  context.drawImage(small, box.left, box.top, box.width, box.height)
  context.fillStyle = 'rgba(15, 18, 28, 0.64)'
  context.fillRect(box.left, box.top, box.width, box.height)
  context.restore()
  context.beginPath()
  context.roundRect(box.left + 0.5, box.top + 0.5, box.width - 1, box.height - 1, box.radius)
  context.strokeStyle = 'rgba(255, 255, 255, 0.22)'
  context.lineWidth = 1
  context.stroke()
}

const LABEL_PAD = 0.72
const LABEL_GAP = 0.45

function labelsWidth(context: SKRSContext2D, caption: Caption, size: number): number {
  context.font = `500 ${size}px "${FONT}"`
  const labels = caption.labels.reduce(
    (sum, label) => sum + context.measureText(label).width + size * (LABEL_PAD * 2 + LABEL_GAP),
    0,
  )
  return labels + size * LABEL_GAP + context.measureText(caption.mark).width
}

function drawLabels(
  context: SKRSContext2D,
  caption: Caption,
  layout: Layout,
  place: { left: number; bottom: number },
): void {
  const size = layout.labelSize
  const tall = size * 1.8
  context.font = `500 ${size}px "${FONT}"`
  let x = place.left
  for (const [index, label] of caption.labels.entries()) {
    const width = context.measureText(label).width + size * LABEL_PAD * 2
    context.beginPath()
    context.roundRect(x, place.bottom - tall, width, tall, tall / 2)
    context.fillStyle = index === 0 ? 'rgba(255, 255, 255, 0.92)' : 'rgba(255, 255, 255, 0.16)'
    context.fill()
    context.fillStyle = index === 0 ? '#151924' : '#f2f4f8'
    context.fillText(label, x + size * LABEL_PAD, place.bottom - tall / 2 + size * 0.36)
    x += width + size * LABEL_GAP
  }
  context.fillStyle = 'rgba(255, 255, 255, 0.6)'
  context.fillText(caption.mark, x + size * LABEL_GAP, place.bottom - tall / 2 + size * 0.36)
}
