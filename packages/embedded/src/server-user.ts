import type { Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'

/** Whom PostgreSQL runs as. It refuses to run as root. */
export interface ServerUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** True when we are root and become this user for everything that PostgreSQL does. */
  readonly isOther: boolean
}

/** Ourselves; as root, the owner of the cluster that is there, else `postgres`, else `nobody`. */
export async function chooseServerUser(clusterDir: string): Promise<ServerUser> {
  const ourUid = process.getuid?.() ?? 0
  const ourGid = process.getgid?.() ?? 0
  const cluster = await stat(clusterDir).catch(() => undefined)
  if (ourUid !== 0) {
    if (cluster !== undefined && cluster.uid !== ourUid) {
      throw new Error(`${clusterDir} belongs to uid ${cluster.uid}: run Wombat as that user, or as root.`)
    }
    return { name: `uid ${ourUid}`, uid: ourUid, gid: ourGid, isOther: false }
  }
  const accounts = parsePasswd(await readFile('/etc/passwd', 'utf8').catch(() => ''))
  if (cluster !== undefined && cluster.uid !== 0) {
    const { uid, gid } = cluster
    return accounts.find((account) => account.uid === uid) ?? { name: `uid ${uid}`, uid, gid, isOther: true }
  }
  const chosen =
    accounts.find(({ name }) => name === 'postgres') ?? accounts.find(({ name, uid }) => name === 'nobody' && uid > 0)
  if (chosen === undefined) {
    throw new Error(
      'PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody in /etc/passwd. Run Wombat as a normal user, or set DATABASE_URL.',
    )
  }
  return chosen
}

/** The first directory on the way to `target`, or `target` itself, that keeps this user out. Needs a real path. */
export async function findObstacle(target: string, user: ServerUser): Promise<string | undefined> {
  const { root } = path.parse(target)
  const steps = target.slice(root.length).split(path.sep)
  for (let length = 0; length <= steps.length; length += 1) {
    const step = path.join(root, ...steps.slice(0, length))
    if (!mayExecute(await stat(step), user)) {
      return step
    }
  }
  return undefined
}

/** What to tell people about an obstacle. */
export function describeObstacle(obstacle: string, options: { target: string; user: ServerUser }): string {
  return (
    `PostgreSQL refuses to run as root and runs as ${options.user.name} instead, who may not enter ${obstacle} on the way to ` +
    `${options.target}. Run \`chmod o+x ${obstacle}\`, or keep Wombat's data elsewhere (DATA_DIR), or run Wombat as a normal user, or set DATABASE_URL.`
  )
}

/** Goes by the mode: who is let in by an access control list is taken for somebody who is not. */
function mayExecute({ mode, uid, gid }: Stats, user: ServerUser): boolean {
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
  return ((mode >> shift) & 1) === 1
}

function parsePasswd(text: string): ServerUser[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':')
    return name !== undefined && uid !== undefined && gid !== undefined
      ? [{ name, uid: Number(uid), gid: Number(gid), isOther: true }]
      : []
  })
}
