/** One line of a table: a figure, the limit of this machine that was measured in the same run, and what we want. */
export interface Row {
  readonly what: string
  readonly figure: number
  readonly unit: string
  /** What the figure is compared with. */
  readonly limit?: { readonly what: string; readonly figure: number } | undefined
  /** Of the ratio where there is a limit, else of the figure. */
  readonly goals?: { readonly project?: Goal | undefined; readonly issue?: Goal | undefined }
}

export interface Goal {
  readonly sign: '≥' | '≤'
  readonly value: number
}

export const atLeast = (value: number): Goal => ({ sign: '≥', value })
export const atMost = (value: number): Goal => ({ sign: '≤', value })

const HEAD = ['what', 'figure', 'limit, same run', 'ratio', 'goal of the project', 'goal of issue 2']

/** Prints the rows in Markdown, so that they can be pasted into the README. */
export function printTable(title: string, rows: readonly Row[]): void {
  const lines = [HEAD, ...rows.map(toCells)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)))
  const print = (cells: readonly string[]) =>
    console.log(`| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
  console.log(`\n${title}\n`)
  print(HEAD)
  print(widths.map((width) => '-'.repeat(width)))
  for (const cells of lines.slice(1)) {
    print(cells)
  }
}

function toCells(row: Row): string[] {
  const ratio = row.limit === undefined ? undefined : row.figure / row.limit.figure
  const judged = ratio ?? row.figure
  return [
    row.what,
    `${show(row.figure)} ${row.unit}`,
    row.limit === undefined ? '' : `${row.limit.what}: ${show(row.limit.figure)}`,
    ratio === undefined ? '' : show(ratio),
    judge(row.goals?.project, judged),
    judge(row.goals?.issue, judged),
  ]
}

function judge(goal: Goal | undefined, value: number): string {
  if (goal === undefined) {
    return ''
  }
  if (Number.isNaN(value)) {
    return `${goal.sign} ${goal.value} ?`
  }
  const isMet = goal.sign === '≥' ? value >= goal.value : value <= goal.value
  return `${goal.sign} ${goal.value} ${isMet ? '✔' : '✖'}`
}

/** Three digits that matter, and all before the point. */
function show(value: number): string {
  if (Number.isNaN(value)) {
    return 'not measured'
  }
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
}
