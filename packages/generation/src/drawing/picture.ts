import { createCanvas } from '@napi-rs/canvas'
import type { ModelId, Quality, Style } from '@wombat/contract'
import { drawCaption } from './caption.ts'
import { legible, unknownLetters } from './legible.ts'
import { drawRibbons, drawTiles } from './motifs/abstract.ts'
import { drawAnime } from './motifs/anime.ts'
import { drawFantasy } from './motifs/fantasy.ts'
import { drawIllustration } from './motifs/illustration.ts'
import { drawIsometric } from './motifs/isometric.ts'
import { drawPhoto } from './motifs/photo.ts'
import { drawSolids } from './motifs/solids.ts'
import { drawWatercolor } from './motifs/watercolor.ts'
import { encodeGrainyPng } from './png.ts'
import { createRandom } from './random.ts'
import type { Motif, Scene } from './scene.ts'

/** All that a synthetic picture depends on. */
export interface PictureRequest {
  readonly prompt: string
  readonly originalPrompt: string
  readonly model: ModelId
  readonly quality: Quality
  readonly style: Style
  readonly width: number
  readonly height: number
  readonly index: number
}

const MOTIFS: Record<Style, Motif> = {
  photo: drawPhoto,
  illustration: drawIllustration,
  watercolor: drawWatercolor,
  fantasy: drawFantasy,
  anime: drawAnime,
  '3d': drawSolids,
  isometric: drawIsometric,
  general: drawRibbons,
  none: drawTiles,
}

const JPEG_QUALITY = 92
const GRAIN_STRENGTH = 6.5

/** Returns what draws pictures; the same request always gives the same bytes. */
export function createPainter(): (request: PictureRequest) => Buffer {
  const unknown = unknownLetters()
  return (request) => {
    const { width, height, model, quality, style, index } = request
    const random = createRandom(JSON.stringify([request.prompt, request.originalPrompt, model, quality, style, index]))
    const canvas = createCanvas(width, height)
    const context = canvas.getContext('2d')
    const scene: Scene = { context, width, height, unit: Math.sqrt(width * height) / 1000, random }
    context.save()
    MOTIFS[style](scene)
    context.restore()
    drawCaption(scene, {
      text: legible(request.originalPrompt, unknown),
      labels: [model, `${width} × ${height}`, `${quality} quality`, style],
      mark: 'Wombat · synthetic',
    })
    if (model !== 'gpt-image-2') {
      return canvas.toBuffer('image/jpeg', JPEG_QUALITY)
    }
    return encodeGrainyPng(context.getImageData(0, 0, width, height).data, {
      width,
      height,
      random,
      strength: GRAIN_STRENGTH,
    })
  }
}
