type Rgb = readonly [red: number, green: number, blue: number]

function parse(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16)
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255]
}

/** Between two colours written #rrggbb: 0 gives the first, 1 the second. */
export function mix(from: string, to: string, amount: number): string {
  const [r1, g1, b1] = parse(from)
  const [r2, g2, b2] = parse(to)
  const blend = (a: number, b: number): number => Math.round(a + (b - a) * Math.min(1, Math.max(0, amount)))
  return `#${((blend(r1, r2) << 16) | (blend(g1, g2) << 8) | blend(b1, b2)).toString(16).padStart(6, '0')}`
}

export function lighten(color: string, amount: number): string {
  return mix(color, '#ffffff', amount)
}

export function darken(color: string, amount: number): string {
  return mix(color, '#000000', amount)
}

/** The same colour, see-through. */
export function fade(color: string, opacity: number): string {
  const [red, green, blue] = parse(color)
  return `rgba(${red}, ${green}, ${blue}, ${Math.max(0, opacity).toFixed(3)})`
}

/** The colour at `position` (0..1) along a row of colours. */
export function along(colors: readonly string[], position: number): string {
  const place = Math.min(1, Math.max(0, position)) * (colors.length - 1)
  const index = Math.min(colors.length - 2, Math.floor(place))
  return mix(colors[index] ?? '#000000', colors[index + 1] ?? '#000000', place - index)
}
