import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Nginx extends AsyncDisposable {
  /** Where the file is. */
  readonly url: string
}

const START_MS = 10_000

/** nginx with one worker that sends one file, from the kernel's cache of files and without a log: our limit for a GET. */
export async function startNginx(nginx: string, options: { directory: string; file: Buffer }): Promise<Nginx> {
  const directory = path.join(options.directory, 'nginx')
  const port = await findFreePort()
  await mkdir(directory)
  await chmod(directory, 0o755)
  await writeFile(path.join(directory, 'image.jpg'), options.file, { mode: 0o644 })
  await writeFile(path.join(directory, 'nginx.conf'), configuration(directory, port))
  const child = spawn(
    nginx,
    ['-p', directory, '-c', path.join(directory, 'nginx.conf'), '-e', path.join(directory, 'error.log')],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  )
  const exited = once(child, 'exit')
  const url = `http://127.0.0.1:${port}/image.jpg`
  const stop = async () => {
    child.kill('SIGQUIT')
    await exited
  }
  const deadline = performance.now() + START_MS
  while (!(await answers(url))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop()
      throw new Error('nginx does not start')
    }
    await sleep(20)
  }
  return { url, [Symbol.asyncDispose]: stop }
}

function configuration(directory: string, port: number): string {
  // Every directory that it would otherwise look for in the system.
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${directory}/${name};`,
  )
  return `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
events { worker_connections 1024; }
http {
${temporary.join('\n')}
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  types { image/jpeg jpg; }
  server {
    listen 127.0.0.1:${port};
    root ${directory};
    etag on;
  }
}
`
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url, { method: 'HEAD' }).then(
    ({ ok }) => ok,
    () => false,
  )
}

/** Free at this moment. Somebody else may take it before it is used, and the start fails then. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
