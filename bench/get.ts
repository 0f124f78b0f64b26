import { makeJpeg, makeUnfinished, storeImage } from './images.ts'
import { startNginx } from './nginx.ts'
import type { BenchOptions } from './options.ts'
import { findProgram } from './programs.ts'
import { openRig } from './rig.ts'
import { interleave } from './rounds.ts'
import { atLeast, printTable, type Row } from './table.ts'
import { runWrk } from './wrk.ts'

const CONNECTIONS = 64
const SIZE_BYTES = 150_000

/** GET of one hot image, with and without the ETag that the client has, against nginx with one worker. */
export async function benchGet(options: BenchOptions): Promise<void> {
  const wrk = await findProgram('wrk')
  const nginxProgram = await findProgram('nginx')
  if (wrk === undefined) {
    return
  }
  await using rig = await openRig(options)
  await using server = await rig.startServer('api')
  const jpeg = await makeJpeg(SIZE_BYTES)
  const [imageId = ''] = await makeUnfinished(rig.database(), 1)
  await (await storeImage(rig, imageId, jpeg)).publish()
  const ours = `${server.url}/api/image/${imageId}.jpg`
  await using nginx =
    nginxProgram === undefined ? undefined : await startNginx(nginxProgram, { directory: rig.dataDir, file: jpeg })

  const get = async (url: string | undefined, headers: Record<string, string> = {}) =>
    url === undefined
      ? Number.NaN
      : (await runWrk(wrk, { url, connections: CONNECTIONS, seconds: options.seconds, headers })).perSecond
  const [tag, nginxTag] = await Promise.all([readEtag(ours, jpeg), readEtag(nginx?.url, jpeg)])
  const figures = await interleave(
    {
      whole: () => get(ours),
      wholeLimit: () => get(nginx?.url),
      unchanged: () => get(ours, { 'If-None-Match': tag }),
      unchangedLimit: () => get(nginx?.url, { 'If-None-Match': nginxTag }),
    },
    options,
  )
  const goals = { project: atLeast(1), issue: atLeast(0.9) }
  const rows: Row[] = [
    {
      what: `GET ${Math.round(jpeg.length / 1000)} KB, hot, ${CONNECTIONS} connections`,
      figure: figures.whole,
      unit: '/s',
      limit: { what: 'nginx, one worker', figure: figures.wholeLimit },
      goals,
    },
    {
      what: `GET with If-None-Match (304), ${CONNECTIONS} connections`,
      figure: figures.unchanged,
      unit: '/s',
      limit: { what: 'nginx, one worker', figure: figures.unchangedLimit },
      goals,
    },
  ]
  printTable('GET of a finished image', rows)
}

/** Makes sure as well that both send the same bytes and answer 304. */
async function readEtag(url: string | undefined, jpeg: Buffer): Promise<string> {
  if (url === undefined) {
    return ''
  }
  const whole = await fetch(url)
  const etag = whole.headers.get('etag') ?? ''
  const unchanged = await fetch(url, { headers: { 'if-none-match': etag } })
  if (!jpeg.equals(await whole.bytes()) || unchanged.status !== 304) {
    throw new Error(`${url} does not send the image, or not a 304 for its ETag`)
  }
  return etag
}
