import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { createTemporaryDirectory, freePort, until } from '@wombat/testing'

export interface NginxOptions {
  /** The port for https, on 127.0.0.1. */
  readonly port: number
  readonly certificate: Certificate
  /** Two addresses, such as 127.0.0.1:3000. The same one twice stands for one process. */
  readonly upstreams: readonly [string, string]
  /** Texts of the documented file and what stands in their place. Each must be there. */
  readonly changes?: Readonly<Record<string, string>>
}

export interface TestNginx {
  /** https://127.0.0.1:PORT */
  readonly url: string
  /** http://127.0.0.1:PORT, which redirects. */
  readonly plainUrl: string
  /** The lines of its access log so far. */
  readLog(): Promise<string[]>
  [Symbol.asyncDispose](): Promise<void>
}

export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly pem: string
}

const CONF = new URL('../deploy/nginx/wombat.conf', import.meta.url)

/** They end when this process does. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) {
    child.kill('SIGTERM')
  }
})

/** For 127.0.0.1, signed by itself. */
export async function makeCertificate(directory: string): Promise<Certificate> {
  const certFile = path.join(directory, 'wombat.crt')
  const keyFile = path.join(directory, 'wombat.key')
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
  await promisify(execFile)('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', keyFile, '-out', certFile])
  return { certFile, keyFile, pem: await readFile(certFile, 'utf8') }
}

/** Starts the real nginx with deploy/nginx/wombat.conf, on free ports and in a directory of its own. */
export async function startNginx({ port, certificate, upstreams, changes = {} }: NginxOptions): Promise<TestNginx> {
  await using stack = new AsyncDisposableStack()
  const { path: directory } = stack.use(await createTemporaryDirectory())
  const plainPort = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const file = path.join(directory, 'nginx.conf')
  await Promise.all(temporary.map((name) => mkdir(path.join(directory, name))))
  const isRoot = process.getuid?.() === 0
  const here = {
    'user www-data;': isRoot ? 'user root;' : '',
    'worker_processes auto;': 'worker_processes 1;',
    'worker_rlimit_nofile 65536;': '',
    'worker_connections 32768;': 'worker_connections 512;',
    'http {': `http {\n${temporary.map((name) => `  ${name}_temp_path ${path.join(directory, name)};\n`).join('')}`,
    '/var/log/nginx/access.log': path.join(directory, 'access.log'),
    '127.0.0.1:3000': upstreams[0],
    '127.0.0.1:3001': upstreams[1],
    'listen 80;': `listen 127.0.0.1:${plainPort};`,
    'listen [::]:80;': '',
    'listen 443 ssl http2;': `listen 127.0.0.1:${port} ssl http2;`,
    'listen [::]:443 ssl http2;': '',
    'server_name images.example.com;': 'server_name 127.0.0.1;',
    '/etc/nginx/wombat.crt': certificate.certFile,
    '/etc/nginx/wombat.key': certificate.keyFile,
  }
  const conf = Object.entries({ ...here, ...changes }).reduce(
    (so, [from, to]) => {
      assert.ok(so.includes(from), `deploy/nginx/wombat.conf has no "${from}"`)
      return so.replaceAll(from, to)
    },
    await readFile(CONF, 'utf8'),
  )
  await writeFile(file, conf)
  const child = await launch(['-p', directory, '-c', file, '-g', `daemon off; pid ${directory}/nginx.pid;`])
  stack.defer(() => end(child))
  await until(() => answers(port), { what: `nginx answers at port ${port}` })
  const owned = stack.move()
  return {
    url: `https://127.0.0.1:${port}`,
    plainUrl: `http://127.0.0.1:${plainPort}`,
    readLog: async () => (await text(createReadStream(path.join(directory, 'access.log')))).split('\n'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function launch(args: readonly string[]): Promise<ChildProcess> {
  // Debian keeps it where only root's PATH leads.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }
  const child = spawn('nginx', [...args], { stdio: ['ignore', 'ignore', 'pipe'], env })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (more: string) => {
    errors += more
  })
  const failed = once(child, 'error').then(([error]) => {
    throw new Error("nginx can't be started: install the package nginx-light", { cause: error })
  })
  await Promise.race([once(child, 'spawn'), failed])
  running.add(child)
  child.once('exit', (code) => {
    running.delete(child)
    assert.equal(code, 0, errors)
  })
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await exit
  }
}

function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).then((is) => {
    socket.destroy()
    return is === true
  })
}
