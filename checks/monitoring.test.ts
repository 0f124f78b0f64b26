/** The dashboard and the alert rules of deploy/: they load, and ask only for what /metrics has. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { orderOne, pathOf } from './image-tools.ts'
import { type Scrape, scrape } from './scrape.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[]
}

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly runbook: string }
}

const dashboard = JSON.parse(read('deploy/grafana/wombat.json'))
const panels: readonly Panel[] = dashboard.panels
const rules: readonly Rule[] = parse(read('deploy/prometheus/alerts.yml')).groups.flatMap(
  (group: { rules: Rule[] }) => group.rules,
)

let server: TestServer
let found: Scrape
before(async () => {
  server = await startTestServer()
  assert.equal((await server.get(pathOf(await orderOne(server)))).status, 200)
  assert.equal((await server.post({}, { key: null })).status, 401)
  found = await scrape(`${server.url}/metrics`)
})
after(() => server[Symbol.asyncDispose]())

/** What is wrong with an expression, in the eyes of who knows what there is. */
function faultsOf(expr: string): string[] {
  const faults: string[] = []
  for (const match of expr.matchAll(/\b(wombat_[a-z0-9_]+)(?:\{([^}]*)\})?/g)) {
    const [, name = '', selector = ''] = match
    const base = name.replace(/_(bucket|count|sum)$/, '')
    const isHistogram = found.types.get(base) === 'histogram'
    if (!(isHistogram ? base !== name : found.types.has(name))) {
      faults.push(`there is no ${name}`)
    }
    const isCounter = isHistogram || found.types.get(name) === 'counter'
    if (isCounter !== /\b(rate|increase)\($/.test(expr.slice(0, match.index))) {
      faults.push(`${name} is ${isCounter ? 'a counter' : 'no counter'}`)
    }
    const labels = [...selector.matchAll(/([a-z_]+)(?:=~|!~|!=|=)"/g)].map(([, label = '']) => label)
    const known = found.samples.filter((sample) => sample.name === name)
    for (const label of labels.filter((one) => one !== 'job')) {
      if (known.length > 0 && !known.some((sample) => label in sample.labels)) {
        faults.push(`${name} has no label ${label}`)
      }
    }
  }
  const opened = expr.split('(').length
  if (opened !== expr.split(')').length) {
    faults.push('the parentheses do not match')
  }
  return faults
}

describe('the dashboard', () => {
  test('asks for metrics that there are, by labels that they have', () => {
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    assert.ok(expressions.length > 30)
    assert.deepEqual(
      expressions.flatMap((expr) => faultsOf(expr).map((fault) => `${fault}: ${expr}`)),
      [],
    )
  })

  test('is complete: ids, places, data source, descriptions', () => {
    assert.equal(dashboard.uid, 'wombat')
    assert.equal(dashboard.schemaVersion, 39)
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    const variables = dashboard.templating.list.map(({ name }: { name: string }) => name)
    assert.deepEqual(variables, ['datasource', 'job'])
    const taken = new Set<string>()
    for (const { type, title, description, gridPos, datasource, targets } of panels) {
      assert.ok(['row', 'stat', 'timeseries'].includes(type), type)
      assert.ok(gridPos.x + gridPos.w <= 24, title)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.ok(!taken.has(`${x} ${y}`), `${title} lies on another panel`)
          taken.add(`${x} ${y}`)
        }
      }
      if (type !== 'row') {
        assert.deepEqual(datasource, { type: 'prometheus', uid: `\${datasource}` }, title)
        assert.ok((description ?? '').length > 10, title)
        assert.ok(targets !== undefined && new Set(targets.map(({ refId }) => refId)).size === targets.length, title)
      }
    }
  })
})

describe('the alert rules', () => {
  test('ask for metrics that there are, and each says what to do', () => {
    assert.deepEqual(
      rules.flatMap(({ alert, expr }) => faultsOf(expr).map((fault) => `${alert}: ${fault}`)),
      [],
    )
    for (const { alert, labels, annotations } of rules) {
      assert.match(labels.severity, /^(warning|critical)$/, alert)
      assert.ok(annotations.summary.length > 20 && annotations.runbook.length > 40, alert)
    }
    assert.deepEqual(
      rules.map(({ alert }) => alert),
      [
        'WombatRouteParked',
        'WombatRouteDown',
        'WombatImagesWaiting',
        'WombatRefundsSpike',
        'WombatServerErrors',
        'WombatDatabaseAway',
        'WombatHousekeeping',
        'WombatNotScraped',
      ],
    )
  })

  test('name commands that there are', async () => {
    const commands = rules.flatMap(({ annotations }) => [...annotations.runbook.matchAll(/`wombat ([a-z]+)/g)])
    assert.ok(commands.length > 3)
    const program = read('apps/cli/src/program.ts')
    for (const [, command = ''] of commands) {
      assert.match(program, new RegExp(`add${command}Commands?\\(`, 'i'))
    }
  })
})

test('a metric that is none, a counter without a rate, a label that is none, are found', () => {
  assert.deepEqual(faultsOf('sum(rate(wombat_nothing_total[5m]))'), [
    'there is no wombat_nothing_total',
    'wombat_nothing_total is no counter',
  ])
  assert.deepEqual(faultsOf('wombat_images_ordered_total'), ['wombat_images_ordered_total is a counter'])
  assert.deepEqual(faultsOf('rate(wombat_waiters[5m])'), ['wombat_waiters is no counter'])
  assert.deepEqual(faultsOf('rate(wombat_http_requests_total{code="5xx"}[5m])'), [
    'wombat_http_requests_total has no label code',
  ])
  assert.deepEqual(faultsOf('sum(wombat_waiters'), ['the parentheses do not match'])
  assert.deepEqual(faultsOf('rate(wombat_attempt_duration_seconds[5m])'), [
    'there is no wombat_attempt_duration_seconds',
  ])
})
