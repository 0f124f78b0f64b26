import assert from 'node:assert/strict'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Scrape {
  /** Name and type of everything that is there, whether it has a value yet or not. */
  readonly types: ReadonlyMap<string, string>
  readonly helps: ReadonlyMap<string, string>
  readonly samples: readonly Sample[]
  /** The sum of the samples of a name that have these labels; 0 when there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number
}

const SAMPLE = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)/g

/** What a Prometheus would read, read as strictly. */
export async function scrape(url: string, init: RequestInit = {}): Promise<Scrape> {
  const response = await fetch(url, init)
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  const types = new Map<string, string>()
  const helps = new Map<string, string>()
  const samples: Sample[] = []
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, comment, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (comment !== undefined) {
      const seen = comment === 'TYPE' ? types : helps
      seen.set(name, rest)
      continue
    }
    const [, sample, inner = '', value = ''] = SAMPLE.exec(line) ?? []
    assert.ok(sample !== undefined, `no sample: ${line}`)
    const labels = Object.fromEntries([...inner.matchAll(LABEL)].map(([, key = '', text = '']) => [key, text]))
    samples.push({ name: sample, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) })
  }
  return {
    types,
    helps,
    samples,
    sum: (name, labels = {}) =>
      samples
        .filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
        .reduce((total, { value }) => total + value, 0),
  }
}
