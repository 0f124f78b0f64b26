import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export interface NginxPlace {
  readonly directory: string
  readonly port: number
  readonly apiPorts: readonly number[]
}

const DOCUMENTED = fileURLToPath(new URL('../nginx/wombat.conf', import.meta.url))

/** Writes its configuration and answers what it is started with. */
export async function writeNginx(place: NginxPlace): Promise<string[]> {
  const { directory } = place
  await mkdir(directory, { recursive: true })
  const file = path.join(directory, 'nginx.conf')
  await writeFile(file, localize(await readFile(DOCUMENTED, 'utf8'), place))
  return ['-p', directory, '-c', file, '-e', path.join(directory, 'error.log')]
}

/** The documented configuration with this cluster's addresses and directories, and without TLS. Everything else is as it is there. */
function localize(documented: string, { directory, port, apiPorts }: NginxPlace): string {
  // Every directory that it would otherwise look for in the system.
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${directory}/${name};`,
  )
  const upstreams = apiPorts.map((apiPort) => `    server 127.0.0.1:${apiPort} max_fails=0;`).join('\n')
  const changes: readonly (readonly [found: RegExp, instead: string])[] = [
    [/^user .*;$/m, `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;\npid ${directory}/nginx.pid;`],
    [/^http \{$/m, `http {\n${temporary.join('\n')}`],
    [/^ {2}access_log \S+/m, `  access_log ${directory}/access.log`],
    [/( {4}server 127\.0\.0\.1:300\d max_fails=0;\n?)+/g, `${upstreams}\n`],
    // The one that only sends to https.
    [/^ {2}server \{\n {4}listen 80;[\s\S]*?\n {2}\}\n/m, ''],
    [/^ {4}listen 443 .*;$/m, `    listen 127.0.0.1:${port} backlog=4096;`],
    [/^ {4}listen \[::\]:443 .*\n/m, ''],
    [/^ {4}ssl_certificate .*\n/m, ''],
    [/^ {4}ssl_certificate_key .*\n/m, ''],
  ]
  return changes.reduce((text, [found, instead]) => {
    assert.ok(
      text.search(found) >= 0,
      `deploy/nginx/wombat.conf has no ${found} any more: change deploy/local/nginx.ts`,
    )
    return text.replace(found, instead)
  }, documented)
}
