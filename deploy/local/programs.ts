import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import path from 'node:path'

/** The packages of Debian and Ubuntu. */
const PACKAGES = { 'redis-server': 'redis-server', nginx: 'nginx-light' } as const

export type ProgramName = keyof typeof PACKAGES

/** Where administrators' programs are, which an ordinary user's PATH lacks. */
const MORE_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/opt/homebrew/bin']

/** Their files; throws with the line that installs what is missing. */
export async function findPrograms(): Promise<Record<ProgramName, string>> {
  const [redis, nginx] = await Promise.all([find('redis-server'), find('nginx')])
  if (redis === undefined || nginx === undefined) {
    const missing = [redis === undefined ? 'redis-server' : '', nginx === undefined ? 'nginx' : ''].filter(Boolean)
    const packages = [redis === undefined ? PACKAGES['redis-server'] : '', nginx === undefined ? PACKAGES.nginx : '']
    throw new Error(
      `${missing.join(' and ')} can't be found on this machine. On Debian or Ubuntu: apt-get install ${packages.filter(Boolean).join(' ')}`,
    )
  }
  return { 'redis-server': redis, nginx }
}

async function find(name: ProgramName): Promise<string | undefined> {
  const directories = [...(process.env.PATH ?? '').split(path.delimiter), ...MORE_DIRECTORIES]
  for (const directory of directories.filter((one) => one !== '')) {
    const file = path.join(directory, name)
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) {
      return file
    }
  }
  return undefined
}
