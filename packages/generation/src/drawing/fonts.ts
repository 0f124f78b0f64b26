import { readFileSync } from 'node:fs'
import { GlobalFonts } from '@napi-rs/canvas'

export const FONT = 'Wombat Inter'

const SUBSETS = ['latin', 'latin-ext', 'cyrillic', 'cyrillic-ext', 'greek', 'greek-ext', 'vietnamese'] as const

/** Makes Inter known to the canvas, from its npm package: the machine need not have a single font. */
export function registerFonts(): void {
  for (const weight of [500, 600]) {
    for (const subset of SUBSETS) {
      const file = import.meta.resolve(`@fontsource/inter/files/inter-${subset}-${weight}-normal.woff2`)
      if (!GlobalFonts.register(readFileSync(new URL(file)), FONT)) {
        throw new Error(`the font ${file} can't be read`)
      }
    }
  }
}
