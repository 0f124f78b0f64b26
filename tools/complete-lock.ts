// `node tools/complete-lock.ts`, after `npm install` has raised or added a package with a build for each platform.
//
// npm leaves a platform's package out of package-lock.json when the registry in use doesn't have it, and then `npm ci`
// refuses the file (npm/cli#4828). This adds such packages with what their names tell. Machines of those platforms
// install them by version; all others skip them as before.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

interface LockedPackage {
  version?: string
  dev?: boolean
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

export interface Lock {
  packages: Record<string, LockedPackage>
}

const SYSTEMS = /(?<![a-z])(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)/
const PROCESSORS = /(?<![a-z])(arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64)(?![0-9])/

/** The platform packages that a lock file names as dependencies and does not hold, by their path in it. */
export function missingPackages({ packages }: Lock): Record<string, LockedPackage> {
  const missing: Record<string, LockedPackage> = {}
  for (const [parent, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (packages[`node_modules/${name}`] === undefined && packages[`${parent}/node_modules/${name}`] === undefined) {
        missing[`node_modules/${name}`] = { version, ...(dev === true && { dev }), ...platformOf(name) }
      }
    }
  }
  return missing
}

function platformOf(name: string): LockedPackage {
  const os = SYSTEMS.exec(name)?.[1]
  const cpu = PROCESSORS.exec(name)?.[1]
  if (os === undefined || cpu === undefined) {
    throw new Error(`${name} is not in package-lock.json, and its name does not tell its platform.`)
  }
  return { cpu: [cpu], ...(name.includes('musl') && { libc: ['musl'] }), optional: true, os: [os] }
}

if (import.meta.main) {
  const file = fileURLToPath(new URL('../package-lock.json', import.meta.url))
  const lock: Lock = JSON.parse(readFileSync(file, 'utf8'))
  const missing = missingPackages(lock)
  const packages = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => a.localeCompare(b, 'en'))
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`)
  console.log(`${Object.keys(missing).length} added`)
}
