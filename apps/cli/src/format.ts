/** Rows in columns as wide as they need, under their titles. The cells of `right` columns end at one line. */
export function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const cells = [titles, ...rows.map((row) => row.map(plain))]
  const widths = titles.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  return cells
    .map((row) =>
      widths
        .map((width, column) => {
          const cell = row[column] ?? ''
          return right.includes(column) ? cell.padStart(width) : cell.padEnd(width)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Names and what they are, one pair a line; pairs without a value are left out. */
export function sheet(pairs: readonly (readonly [name: string, value: string | undefined])[]): string {
  const shown = pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, plain(value)] as const]))
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}

/** Names and prompts are their authors' text: it must not steer the terminal. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u200e\u200f\u2028-\u202e\u2066-\u2069]+/gu, ' ')
}

export function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}

const NUMBER = new Intl.NumberFormat('en-US')

/** 1000 becomes "1,000". */
export function count(value: number): string {
  return NUMBER.format(value)
}

/** "1 credit", "1,000 credits". */
export function credits(value: number): string {
  return plural(value, 'credit', 'credits')
}

export function plural(value: number, one: string, many: string): string {
  return `${count(value)} ${Math.abs(value) === 1 ? one : many}`
}

/** In the operator's own time zone, to the second. */
export function time(at: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}

export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3))
  const scaled = value / 1000 ** power
  return `${scaled < 10 && power > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${units[power]}`
}
