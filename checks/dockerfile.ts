/** What a Dockerfile says of the image, as far as tests need it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

export interface Stage {
  readonly from: string
  readonly env: Readonly<Record<string, string>>
  /** The words of the instruction, which must be in the form of a list. */
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly health: readonly string[]
  readonly user: string | undefined
  readonly ports: readonly string[]
  /** What is copied from the sources, and where to. */
  readonly copies: readonly { readonly from: readonly string[]; readonly to: string }[]
}

const KNOWN = 'FROM LABEL ENV WORKDIR COPY RUN VOLUME USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(' ')

export function readDockerfile(): Stage[] {
  return parseDockerfile(readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8'))
}

/** Throws where an instruction is none. */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
  const stages: [string, string][][] = []
  for (const line of lines.filter((one) => one.trim() !== '')) {
    const [, name = '', rest = ''] = /^([A-Z]+) +(.*)$/.exec(line) ?? []
    assert.ok(KNOWN.includes(name), `no instruction of a Dockerfile: ${line}`)
    if (name === 'FROM') {
      stages.push([])
    }
    stages.at(-1)?.push([name, rest.trim()])
  }
  return stages.map(toStage)
}

function toStage(instructions: readonly [string, string][]): Stage {
  const all = (name: string) => instructions.filter(([one]) => one === name).map(([, rest]) => rest)
  const last = (name: string) => all(name).at(-1)
  return {
    from: last('FROM') ?? '',
    env: Object.fromEntries(
      all('ENV').flatMap((rest) => rest.split(/ +/).map((pair) => pair.split('=') as [string, string])),
    ),
    entrypoint: words(last('ENTRYPOINT')),
    command: words(last('CMD')),
    health: words(last('HEALTHCHECK')?.replace(/^.* CMD /, '')),
    user: last('USER'),
    ports: all('EXPOSE'),
    copies: all('COPY')
      .filter((rest) => !rest.startsWith('--from='))
      .map((rest) => rest.split(/ +/))
      .map((paths) => ({ from: paths.slice(0, -1), to: paths.at(-1) ?? '' })),
  }
}

function words(json: string | undefined): readonly string[] {
  return json === undefined ? [] : JSON.parse(json)
}
