/** deploy/kubernetes: what one document says of another is so, and Wombat takes the settings. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { CONFIG_VARIABLES, readConfig } from '@wombat/engine'
import { createTemporaryDirectory } from '@wombat/testing'
import { parse, parseAllDocuments } from 'yaml'
import { readCompose, requiredVariables } from './compose.ts'
import { readDockerfile } from './dockerfile.ts'

const ROOT = fileURLToPath(new URL('../deploy/kubernetes/', import.meta.url))
const OVERLAYS = ['overlays/small', 'overlays/full']
const KUBECTL = '/usr/bin/kubectl'
const image = readDockerfile().at(-1) ?? assert.fail()
const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')

type Labels = Readonly<Record<string, string>>
interface Container {
  readonly image: string
  readonly args: readonly string[]
  readonly command?: unknown
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly envFrom: readonly Readonly<Record<string, { readonly name: string }>>[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly [string, string] } } }
  readonly securityContext: unknown
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  readonly [probe: `${string}Probe`]: {
    readonly httpGet: { readonly path: string; readonly port: string }
    readonly timeoutSeconds?: number
    readonly periodSeconds: number
    readonly failureThreshold: number
  }
}
interface PodSpec {
  readonly serviceAccountName: string
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: unknown
  readonly containers: readonly [Container]
  readonly volumes: readonly { readonly name: string }[]
}
interface Document {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly annotations?: Labels }
  // Whoever reads it says which kind it is, and so what it has.
  // biome-ignore lint/suspicious/noExplicitAny: documents of ten kinds
  readonly spec: any
}

function documentsOf(folder: string): Document[] {
  return filesOf(folder).flatMap((name) =>
    parseAllDocuments(readFileSync(`${ROOT}${folder}/${name}`, 'utf8'), { merge: true }).map((one) => one.toJS()),
  )
}

function filesOf(folder: string): string[] {
  return readdirSync(ROOT + folder).filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
}

const base = documentsOf('base')
const full = documentsOf('overlays/full')
const kind = (documents: readonly Document[], name: string) => documents.filter((one) => one.kind === name)
const only = (documents: readonly Document[], name: string) => kind(documents, name)[0] ?? assert.fail(name)
const deployments = kind(base, 'Deployment').map((one) => {
  const spec: PodSpec = one.spec.template.spec
  const labels: Labels = one.spec.template.metadata.labels
  return {
    name: one.metadata.name,
    selector: one.spec.selector.matchLabels,
    labels,
    spec,
    container: spec.containers[0],
  }
})
const selects = (selector: Labels, labels: Labels) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value)
const selected = (selector: Labels) =>
  deployments.filter(({ labels }) => selects(selector, labels)).map(({ name }) => name)
const portsOf = (name: string) => deployments.find((one) => one.name === name)?.container.ports.map((port) => port.name)
const ALL = ['wombat-api', 'wombat-scheduler', 'wombat-worker']

function settingsOf(overlay: string): Record<string, string> {
  const parts = ['base/settings.env', `${overlay}/settings.env`].map((name) =>
    parseEnv(readFileSync(ROOT + name, 'utf8')),
  )
  return Object.fromEntries(parts.flatMap((part) => Object.entries(part)).map(([name, value]) => [name, value ?? '']))
}

const secretsOf = (overlay: string) => parseEnv(readFileSync(`${ROOT}${overlay}/secret.env.example`, 'utf8'))

describe('the settings', () => {
  for (const overlay of OVERLAYS) {
    test(`of ${overlay} are taken without a warning, and no secret stands among them`, () => {
      const [settings, secrets] = [settingsOf(overlay), secretsOf(overlay)]
      const config = readConfig({ ...image.env, ...settings, ...secrets })
      assert.deepEqual(config.warnings, [])
      assert.ok(config.DATABASE_URL !== undefined && config.S3_BUCKET !== undefined)
      assert.equal(config.REDIS_URL !== undefined, overlay === 'overlays/full')
      assert.equal(config.METRICS_TOKEN !== undefined, overlay === 'overlays/full')
      const names = (isSecret: boolean) =>
        CONFIG_VARIABLES.filter((one) => one.isSecret === isSecret).map(({ name }) => name)
      assert.deepEqual(
        Object.keys(secrets).filter((name) => !names(true).includes(name)),
        [],
      )
      assert.deepEqual(
        Object.keys(settings).filter((name) => !names(false).includes(name)),
        [],
      )
      const [ingress] = kind(documentsOf(overlay), 'Ingress')
      const { hostname } = new URL(config.PUBLIC_URL ?? '')
      assert.deepEqual([ingress?.spec.rules[0].host, ingress?.spec.tls[0].hosts], [hostname, [hostname]])
    })
  }

  test('that are secret can be committed or built into an image by nobody', () => {
    assert.match(read('.gitignore'), /^deploy\/kubernetes\/\*\*\/secret\.env$/m)
    assert.match(read('.dockerignore'), /^\*\*\/secret\.env$/m)
  })
})

describe('the processes', () => {
  test('are those of docker-compose.yml, in the same image', () => {
    const { services } = readCompose(Object.fromEntries(requiredVariables().map((name) => [name, 'x'])))
    const port = settingsOf('overlays/full')
    assert.deepEqual(deployments.map(({ name }) => name).sort(), ALL)
    for (const { name, container, spec, labels, selector } of deployments) {
      const role = name.replace('wombat-', '')
      assert.deepEqual(container.args, services[role]?.command)
      assert.equal(container.command, undefined)
      assert.equal(container.image, 'wombat')
      assert.deepEqual(selector, labels)
      assert.deepEqual(labels, { 'app.kubernetes.io/name': 'wombat', 'app.kubernetes.io/component': role })
      const wanted = role === 'api' ? { name: 'http', containerPort: 3000 } : { name: 'metrics', containerPort: 9100 }
      assert.deepEqual(container.ports, [wanted])
      assert.equal(role === 'api' ? port.PORT : port.METRICS_PORT, String(wanted.containerPort))
      assert.equal(spec.serviceAccountName, kind(base, 'ServiceAccount')[0]?.metadata.name)
      assert.deepEqual(container.envFrom, [{ configMapRef: { name: 'wombat' } }, { secretRef: { name: 'wombat' } }])
    }
  })

  test('are asked for health where they answer it, and have time to find out', () => {
    const routes = read('apps/server/src/routes/health.ts')
    for (const { name, container } of deployments) {
      const paths = {
        startupProbe: '/health/live',
        readinessProbe: '/health/ready',
        livenessProbe: '/health/live',
      } as const
      for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
        assert.deepEqual(container[probe]?.httpGet, { path: paths[probe], port: container.ports[0]?.name }, name)
        assert.ok(routes.includes(`app.get('${paths[probe]}'`))
      }
      const checkMs = Number(/CHECK_TIMEOUT_MS = (\d)_000/.exec(read('packages/engine/src/health.ts'))?.[1])
      assert.ok((container.readinessProbe?.timeoutSeconds ?? 1) > checkMs)
      const { periodSeconds = 0, failureThreshold = 0 } = container.startupProbe ?? {}
      assert.ok(periodSeconds * failureThreshold >= 600, 'a migration may take ten minutes')
    }
  })

  test('have more time to stop than they take', () => {
    for (const { name, container, spec } of deployments) {
      const wait = Number(container.lifecycle?.preStop.exec.command[1] ?? 0)
      const grace = Number(container.env.find((one) => one.name === 'SHUTDOWN_GRACE_SECONDS')?.value)
      assert.ok(spec.terminationGracePeriodSeconds > wait + grace + 4, name)
      assert.equal(wait > 0, name === 'wombat-api')
    }
  })

  test('run without rights that they do not need, and may write where Wombat does', () => {
    for (const { container, spec } of deployments) {
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      const user = { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 }
      assert.deepEqual(spec.securityContext, { ...user, seccompProfile: { type: 'RuntimeDefault' } })
      assert.deepEqual(
        container.volumeMounts.map((one) => one.mountPath),
        [image.env.DATA_DIR, '/tmp'],
      )
      assert.deepEqual(
        container.volumeMounts.map((one) => one.name),
        spec.volumes.map((one) => one.name),
      )
    }
  })
})

describe('what stands around them', () => {
  test('the ingress leads to the service, and that to the API', () => {
    const [service] = kind(base, 'Service')
    assert.deepEqual(selected(service?.spec.selector), ['wombat-api'])
    assert.ok(portsOf('wombat-api')?.includes(service?.spec.ports[0].targetPort))
    for (const ingress of [base, ...OVERLAYS.map(documentsOf)].flatMap((one) => kind(one, 'Ingress'))) {
      const { backend } = ingress.spec.rules[0].http.paths[0]
      assert.deepEqual(backend.service, { name: service?.metadata.name, port: { name: service?.spec.ports[0].name } })
    }
    // Longer than Wombat is ever silent.
    const silent = readConfig({}).IMAGE_SOFT_WAIT_SECONDS
    assert.ok(
      Number(kind(base, 'Ingress')[0]?.metadata.annotations?.['nginx.ingress.kubernetes.io/proxy-read-timeout']) >
        silent,
    )
  })

  test('policies, budgets, scalers and monitors mean processes and ports that there are', () => {
    const [general, api] = kind(base, 'NetworkPolicy')
    assert.deepEqual(selected(general?.spec.podSelector.matchLabels).sort(), ALL)
    assert.deepEqual(selected(api?.spec.podSelector.matchLabels), ['wombat-api'])
    const named = [general, api]
      .flatMap((one) => one?.spec.ingress)
      .flatMap((rule) => rule.ports.map((one: { port: string }) => one.port))
    assert.deepEqual([...new Set(named)].sort(), [...new Set(ALL.flatMap((name) => portsOf(name) ?? []))].sort())
    const budgets = kind(full, 'PodDisruptionBudget')
    assert.deepEqual(budgets.flatMap((one) => selected(one.spec.selector.matchLabels)).sort(), ALL)
    for (const [scaler, target] of [
      ['HorizontalPodAutoscaler', 'wombat-api'],
      ['ScaledObject', 'wombat-worker'],
    ] as const) {
      const [found] = kind(full, scaler)
      assert.deepEqual(found?.spec.scaleTargetRef, { apiVersion: 'apps/v1', kind: 'Deployment', name: target })
    }
    const monitor = only(full, 'PodMonitor')
    assert.deepEqual(selected(monitor.spec.selector.matchLabels).sort(), ALL)
    assert.deepEqual(
      monitor.spec.podMetricsEndpoints.map((one: { port: string }) => one.port),
      ['http', 'metrics'],
    )
    const { name, key } = monitor.spec.podMetricsEndpoints[1].authorization.credentials
    assert.ok(name === 'wombat' && key in secretsOf('overlays/full'))
    // The alert rules count on the job's name.
    assert.equal(deployments[0]?.labels[monitor.spec.jobLabel], 'wombat')
  })

  test('workers are scaled by a metric that there is, with its label', () => {
    const { query } = only(full, 'ScaledObject').spec.triggers[0].metadata
    const [, metric = '', namespace] = /^sum\(max by \(model\) \((\w+)\{namespace="(\w+)"\}\)\)$/.exec(query) ?? []
    assert.match(read('packages/engine/src/metrics.ts'), new RegExp(`ofModels\\('${metric}'`))
    assert.equal(parse(readFileSync(`${ROOT}overlays/full/kustomization.yaml`, 'utf8')).namespace, namespace)
  })
})

describe('kustomize', () => {
  test('is given every file, and none that is missing', () => {
    for (const folder of ['base', ...OVERLAYS]) {
      const {
        resources,
        patches = [],
        configurations = [],
      } = parse(readFileSync(`${ROOT}${folder}/kustomization.yaml`, 'utf8'))
      const named = [...resources, ...patches.map((one: { path: string }) => one.path), ...configurations]
      assert.deepEqual(named.filter((name) => name !== '../../base').sort(), filesOf(folder).sort())
    }
  })

  const skip = existsSync(KUBECTL) ? false : `there is no ${KUBECTL}`
  test('builds both overlays, with the names of settings and secrets at all places', { skip }, async () => {
    await using copy = await createTemporaryDirectory()
    cpSync(ROOT, copy.path, { recursive: true })
    for (const overlay of OVERLAYS) {
      cpSync(`${ROOT}${overlay}/secret.env.example`, `${copy.path}/${overlay}/secret.env`)
      const built = execFileSync(KUBECTL, ['kustomize', overlay], { cwd: copy.path, encoding: 'utf8' })
      const documents: Document[] = parseAllDocuments(built).map((one) => one.toJS())
      const name = (of: string) => kind(documents, of)[0]?.metadata.name
      for (const { spec } of kind(documents, 'Deployment')) {
        const container: Container = spec.template.spec.containers[0]
        assert.deepEqual(
          container.envFrom.map((one) => Object.values(one)[0]?.name),
          [name('ConfigMap'), name('Secret')],
        )
        assert.match(container.image, /^registry\.example\.com\/wombat:/)
      }
      for (const { spec } of kind(documents, 'PodMonitor')) {
        assert.equal(spec.podMetricsEndpoints[1].authorization.credentials.name, name('Secret'))
      }
      assert.match(name('Secret') ?? '', /^wombat-\w+$/)
    }
  })
})
