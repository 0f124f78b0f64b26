import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'

export interface NginxPlace {
  readonly directory: string
  readonly port: number
  readonly apiPorts: readonly number[]
}

/** Writes its configuration and answers what it is started with. */
export async function writeNginx({ directory, port, apiPorts }: NginxPlace): Promise<string[]> {
  await mkdir(directory, { recursive: true })
  const file = path.join(directory, 'nginx.conf')
  await writeFile(file, configuration({ directory, port, apiPorts }))
  return ['-p', directory, '-c', file, '-e', path.join(directory, 'error.log')]
}

function configuration({ directory, port, apiPorts }: NginxPlace): string {
  // Every directory that it would otherwise look for in the system.
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${directory}/${name};`,
  )
  return `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;
worker_processes 2;
pid ${directory}/nginx.pid;
events { worker_connections 4096; }
http {
${temporary.join('\n')}
  access_log off;
  upstream wombat {
${apiPorts.map((apiPort) => `    server 127.0.0.1:${apiPort} max_fails=1 fail_timeout=1s;`).join('\n')}
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    client_max_body_size 1m;
    location / {
      proxy_pass http://wombat;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffering off;
      proxy_read_timeout 60s;
      proxy_next_upstream error timeout http_502 http_503;
    }
  }
}
`
}
