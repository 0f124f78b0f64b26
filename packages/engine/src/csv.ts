/** Rows under their titles as RFC 4180 has them, lines ending in LF. The last one has none: who prints it adds that. */
export function csv(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [titles, ...rows].map((row) => row.map(field).join(',')).join('\n')
}

const NUMBER = /^-?\d+(\.\d+)?$/

/** What a spreadsheet would run as a formula is made text: names are their authors' words. */
const FORMULA = /^[=+\-@\t\r]/

function field(value: string): string {
  const text = FORMULA.test(value) && !NUMBER.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
