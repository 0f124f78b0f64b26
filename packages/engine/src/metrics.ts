import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/*
 * Every metric of Wombat; nobody else imports prom-client. Labels have few values: routes of HTTP are patterns, models
 * and routes of upstreams come from the configuration, outcomes and classes from unions, statements from the code.
 * Nothing of a client's choice is ever a label. docs/monitoring.md says what they mean.
 */

const HTTP_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 15, 25, 60, 120, 300]
const UPSTREAM_SECONDS = [0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300]
const ORDER_SECONDS = [1, 2.5, 5, 10, 15, 30, 60, 120, 300, 900, 3600, 14_400, 86_400]
const STORE_SECONDS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10]
const STATEMENT_SECONDS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5]
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const ROUTE_STATES = ['closed', 'open', 'parked']
/** The pattern that the hot lane answers. */
const IMAGE_ROUTE = '/api/image/:name'

/** What is read when somebody asks, because nobody is told of its changes. */
export interface MetricSources {
  readonly waiters: () => number
  readonly leases: () => number
  readonly cache: () => CacheFigures
  /** Undefined while the database can't be asked. */
  readonly database: () => Promise<DatabaseFigures | undefined>
}

export interface CacheFigures {
  readonly hits: number
  readonly misses: number
  readonly entries: number
  readonly bytes: number
}

export interface DatabaseFigures {
  readonly models: readonly {
    readonly model: string
    readonly queued: number
    readonly due: number
    /** How long the one that is due for the longest has been so; 0 when none is due. */
    readonly oldestDueSeconds: number
    readonly generating: number
  }[]
  readonly routes: readonly { readonly route: string; readonly state: string; readonly busy: number }[]
}

export interface Metrics {
  /** Answers of the hot lane, which has time to add one and for nothing else. */
  readonly hotLane: { whole: number; unchanged: number }
  /** `route` is the pattern, or undefined where there is none. */
  countHttp(request: { method: string; route: string | undefined; status: number; seconds: number }): void
  countOrder(order: { model: string; images: number; credits: number }): void
  /** `seconds` since it was ordered. */
  countReady(image: { model: string; seconds: number }): void
  countFailed(image: { model: string; code: string; credits: number }): void
  countAttempt(attempt: { route: string; outcome: string; failure: string | undefined; seconds: number }): void
  observeStore(operation: string, seconds: number, isOk: boolean): void
  observeStatement(statement: string, seconds: number, isOk: boolean): void
  /** Says where the rest is to be read, once those parts are open. */
  watch(sources: MetricSources): void
  /** For a process that may lead: whether it does now. */
  watchLeadership(isLeading: () => boolean): void
  /** Everything in the text format of Prometheus. */
  write(): Promise<{ contentType: string; text: string }>
}

/** `hasProcess`: with what Node tells of the process, which is watched from then on. */
export function openMetrics({ hasProcess }: { hasProcess: boolean }): Metrics {
  const register = new Registry()
  if (hasProcess) {
    collectDefaultMetrics({ register, prefix: 'wombat_' })
  }
  return {
    ...defineHttp(register),
    ...defineImages(register),
    ...defineSeams(register),
    watch: (sources) => defineSources(register, sources),
    watchLeadership: (isLeading) => defineLeadership(register, isLeading),
    write: async () => ({ contentType: register.contentType, text: await register.metrics() }),
  }
}

function defineHttp(register: Registry): Pick<Metrics, 'hotLane' | 'countHttp'> {
  const registers = [register]
  const hotLane = { whole: 0, unchanged: 0 }
  const told = { ...hotLane }
  const requests: Counter = new Counter({
    name: 'wombat_http_requests_total',
    help: 'Requests that were answered, by method, route pattern and class of status.',
    labelNames: ['method', 'route', 'status'],
    registers,
    collect() {
      const labels = { method: 'GET', route: IMAGE_ROUTE }
      requests.inc({ ...labels, status: '2xx' }, hotLane.whole - told.whole)
      requests.inc({ ...labels, status: '3xx' }, hotLane.unchanged - told.unchanged)
      Object.assign(told, hotLane)
    },
  })
  const duration = new Histogram({
    name: 'wombat_http_request_duration_seconds',
    help: 'From a request to the end of its answer, waiting for images included. The hot lane is not in it.',
    labelNames: ['method', 'route'],
    buckets: HTTP_SECONDS,
    registers,
  })
  // To look a combination of labels up costs more than to count it.
  const known = new Map<string, (seconds: number) => void>()
  return {
    hotLane,
    countHttp({ method, route = 'none', status, seconds }) {
      const name = `${method} ${status} ${route}`
      let count = known.get(name)
      if (count === undefined) {
        const labels = { method: METHODS.has(method) ? method : 'other', route }
        const counter = requests.labels({ ...labels, status: `${Math.floor(status / 100)}xx` })
        const histogram = duration.labels(labels)
        count = (value) => {
          counter.inc()
          histogram.observe(value)
        }
        known.set(name, count)
      }
      count(seconds)
    },
  }
}

function defineImages(register: Registry): Pick<Metrics, 'countOrder' | 'countReady' | 'countFailed' | 'countAttempt'> {
  const registers = [register]
  const ordered = new Counter({
    name: 'wombat_images_ordered_total',
    help: 'Images that were ordered and charged.',
    labelNames: ['model'],
    registers,
  })
  const charged = new Counter({
    name: 'wombat_credits_charged_total',
    help: 'Credits that orders took, which this process accepted.',
    registers,
  })
  const refunded = new Counter({
    name: 'wombat_credits_refunded_total',
    help: 'Credits that came back for images that this process failed.',
    registers,
  })
  const finished = new Counter({
    name: 'wombat_images_finished_total',
    help: 'Images that came to their end: ready, or failed with an error code of the API.',
    labelNames: ['model', 'state', 'code'],
    registers,
  })
  const took = new Histogram({
    name: 'wombat_image_ready_seconds',
    help: 'From the order to the finished image, waiting and failed tries included.',
    labelNames: ['model'],
    buckets: ORDER_SECONDS,
    registers,
  })
  const attempts = new Counter({
    name: 'wombat_attempts_total',
    help: 'Calls of upstreams, by route, outcome (done, refused, not_sent, unknown) and failure class.',
    labelNames: ['route', 'outcome', 'failure'],
    registers,
  })
  const latency = new Histogram({
    name: 'wombat_attempt_duration_seconds',
    help: 'Calls of upstreams, from the request to the end of the answer.',
    labelNames: ['route'],
    buckets: UPSTREAM_SECONDS,
    registers,
  })
  return {
    countOrder({ model, images, credits }) {
      ordered.inc({ model }, images)
      charged.inc(credits)
    },
    countReady({ model, seconds }) {
      finished.inc({ model, state: 'ready', code: 'none' })
      took.observe({ model }, seconds)
    },
    countFailed({ model, code, credits }) {
      finished.inc({ model, state: 'failed', code })
      refunded.inc(credits)
    },
    countAttempt({ route, outcome, failure = 'none', seconds }) {
      attempts.inc({ route, outcome, failure })
      latency.observe({ route }, seconds)
    },
  }
}

function defineSeams(register: Registry): Pick<Metrics, 'observeStore' | 'observeStatement'> {
  const registers = [register]
  const store = new Histogram({
    name: 'wombat_store_operation_seconds',
    help: 'Operations of the store of images. open ends with the first byte.',
    labelNames: ['operation', 'outcome'],
    buckets: STORE_SECONDS,
    registers,
  })
  const statements = new Histogram({
    name: 'wombat_database_statement_seconds',
    help: 'Statements of the hot paths by their names in the code, waiting for a connection included.',
    labelNames: ['statement'],
    buckets: STATEMENT_SECONDS,
    registers,
  })
  const errors = new Counter({
    name: 'wombat_database_errors_total',
    help: 'Statements of the hot paths that failed.',
    registers,
  })
  return {
    observeStore: (operation, seconds, isOk) => store.observe({ operation, outcome: isOk ? 'ok' : 'error' }, seconds),
    observeStatement(statement, seconds, isOk) {
      statements.observe({ statement }, seconds)
      errors.inc(isOk ? 0 : 1)
    },
  }
}

function defineLeadership(register: Registry, isLeading: () => boolean): void {
  const name = 'wombat_scheduler_leader'
  const help = '1 in the one process that keeps house for all, 0 in those that would take over.'
  const self: Gauge = new Gauge({ name, help, registers: [register], collect: () => self.set(isLeading() ? 1 : 0) })
}

/** Gauges are filled anew at each look, so that what has gone leaves no line behind. */
function defineSources(register: Registry, { waiters, leases, cache, database }: MetricSources): void {
  function gauge(name: string, help: string, labels: string[], fill: (self: Gauge) => void | Promise<void>) {
    const self: Gauge = new Gauge({
      name,
      help,
      labelNames: labels,
      registers: [register],
      async collect() {
        self.reset()
        await fill(self)
      },
    })
  }
  function ofModels(name: string, help: string, read: (model: DatabaseFigures['models'][number]) => number) {
    gauge(name, help, ['model'], async (self) => {
      for (const model of (await database())?.models ?? []) {
        self.set({ model: model.model }, read(model))
      }
    })
  }

  gauge('wombat_waiters', 'Requests that wait for an image in this process.', [], (self) => self.set(waiters()))
  gauge('wombat_images_in_hand', 'Images that this process is making.', [], (self) => self.set(leases()))
  gauge('wombat_image_cache_bytes', 'Bytes of finished images in memory.', [], (self) => self.set(cache().bytes))
  gauge('wombat_image_cache_entries', 'Finished images in memory.', [], (self) => self.set(cache().entries))
  const reads: Counter = new Counter({
    name: 'wombat_image_cache_reads_total',
    help: 'Finished images that were found in memory (hit), or had to be read from the store (miss).',
    labelNames: ['result'],
    registers: [register],
    collect() {
      reads.reset()
      reads.inc({ result: 'hit' }, cache().hits)
      reads.inc({ result: 'miss' }, cache().misses)
    },
  })
  gauge(
    'wombat_database_up',
    '1 while the database answers what the gauges of all processes are read from.',
    [],
    async (self) => self.set((await database()) === undefined ? 0 : 1),
  )
  ofModels(
    'wombat_queue_images',
    'Images that are queued, in all processes; no more than 100000 are counted.',
    ({ queued }) => queued,
  )
  ofModels('wombat_queue_due_images', 'Queued images that could be made now, no more than 100000.', ({ due }) => due)
  ofModels(
    'wombat_queue_oldest_due_seconds',
    'How long the queued image that has been due for the longest has been so; 0 when none is due.',
    ({ oldestDueSeconds }) => oldestDueSeconds,
  )
  ofModels('wombat_images_generating', 'Images that are being made, in all processes.', ({ generating }) => generating)
  gauge(
    'wombat_route_state',
    '1 for the state that a route is in (closed is in use), 0 for the others.',
    ['route', 'state'],
    async (self) => {
      for (const { route, state } of (await database())?.routes ?? []) {
        for (const one of ROUTE_STATES) {
          self.set({ route, state: one }, one === state ? 1 : 0)
        }
      }
    },
  )
  gauge('wombat_route_calls', 'Calls under way on a route, in all processes.', ['route'], async (self) => {
    for (const { route, busy } of (await database())?.routes ?? []) {
      self.set({ route }, busy)
    }
  })
}
