import type { NamedGroup, UsageGroup, UsageLine } from '@wombat/ledger'
import { csv } from './csv.ts'

export type UsageFigures = Omit<UsageLine, 'group' | 'name' | 'lastFour'>

const TAG = 'tag:'

function isTag(by: UsageGroup): by is `tag:${string}` {
  return by.startsWith(TAG)
}

/** What a line is about, under its names in JSON and CSV. */
export function usageLabels(
  by: UsageGroup,
  { group, name, lastFour }: UsageLine,
): Readonly<Record<string, string | null>> {
  if (isTag(by)) {
    return { tag: by.slice(TAG.length), value: group }
  }
  switch (by) {
    case 'account':
      return { accountId: group, name }
    case 'key':
      return { keyId: group, name, lastFour }
    case 'model':
      return { model: group }
    case 'day':
      return { day: group }
    case 'route':
      return { route: group }
  }
}

/** In the order of the columns. */
export function usageFigures(line: UsageFigures): UsageFigures {
  const { ordered, ready, failed, creditsCharged, creditsRefunded, creditsNet } = line
  const { attempts, costMicroUsd, unknownCosts } = line
  return {
    ordered,
    ready,
    failed,
    creditsCharged,
    creditsRefunded,
    creditsNet,
    attempts,
    costMicroUsd,
    unknownCosts,
  }
}

export function sumFigures(lines: readonly UsageLine[]): UsageFigures {
  const sum = (figure: keyof UsageFigures) => lines.reduce((total, line) => total + line[figure], 0)
  return {
    ordered: sum('ordered'),
    ready: sum('ready'),
    failed: sum('failed'),
    creditsCharged: sum('creditsCharged'),
    creditsRefunded: sum('creditsRefunded'),
    creditsNet: sum('creditsNet'),
    attempts: sum('attempts'),
    costMicroUsd: sum('costMicroUsd'),
    unknownCosts: sum('unknownCosts'),
  }
}

const CSV_LABELS: Readonly<Record<NamedGroup | 'tag', readonly string[]>> = {
  account: ['account', 'name'],
  key: ['key', 'name', 'last_four'],
  model: ['model'],
  day: ['day'],
  route: ['route'],
  tag: ['tag', 'value'],
}

const CSV_FIGURES = [
  'ordered',
  'ready',
  'failed',
  'credits_charged',
  'credits_refunded',
  'credits_net',
  'attempts',
  'cost_usd',
  'unknown_costs',
]

/** Without the end of the last line. */
export function usageCsv(by: UsageGroup, lines: readonly UsageLine[]): string {
  return csv(
    [...CSV_LABELS[isTag(by) ? 'tag' : by], ...CSV_FIGURES],
    lines.map((line) => {
      const { costMicroUsd, unknownCosts, ...counted } = usageFigures(line)
      const labels = Object.values(usageLabels(by, line)).map((label) => label ?? '')
      return [...labels, ...Object.values(counted).map(String), formatUsd(costMicroUsd), String(unknownCosts)]
    }),
  )
}

/** US dollars to the millionth, without rounding. */
export function formatUsd(microUsd: number): string {
  const digits = String(Math.abs(microUsd)).padStart(7, '0')
  return `${microUsd < 0 ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`
}
