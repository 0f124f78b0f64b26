import type { JsonSchema, OpenApiDocument, OpenApiOperation } from '@wombat/contract'
import { describeType, fieldsOf, sampleOf } from './reference-schemas.ts'

/** Its hash stands in the Content-Security-Policy. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1d2021;--soft:#5c6166;--line:#d9dcdf;--paper:#fff;--shade:#f5f6f7;--link:#0b57a4}
@media (prefers-color-scheme:dark){:root{--ink:#e6e6e3;--soft:#9da3a8;--line:#383d41;--paper:#16191b;--shade:#1f2326;--link:#7db7f5}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
a{color:var(--link)}
header,main{max-width:62rem;margin:0 auto;padding:1.5rem 1.25rem}
header{border-bottom:1px solid var(--line)}
h1{margin:0;font-size:1.8rem}h2{margin:2.5rem 0 .5rem;font-size:1.3rem}h4{margin:1.2rem 0 .3rem;font-size:.95rem}
nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin:1rem 0 0;padding:0;list-style:none}
details{margin:.5rem 0;border:1px solid var(--line);border-radius:.5rem}
summary{display:flex;flex-wrap:wrap;gap:.2rem .8rem;align-items:baseline;padding:.55rem .9rem;cursor:pointer}
summary:hover{background:var(--shade)}
details>div{padding:0 .9rem .9rem;border-top:1px solid var(--line)}
code,pre{font:.88rem/1.5 ui-monospace,monospace}
pre{margin:.3rem 0;padding:.7rem .9rem;overflow-x:auto;background:var(--shade);border-radius:.4rem}
b.method{min-width:4.2em;font:600 .8rem ui-monospace,monospace;letter-spacing:.03em}
.get{color:#14775a}.post{color:#0b57a4}.patch{color:#98600a}.delete{color:#b3261e}.head{color:#5c6166}
@media (prefers-color-scheme:dark){.get{color:#5fd0a5}.post{color:#7db7f5}.patch{color:#e8b45a}.delete{color:#ff8a80}.head{color:#9da3a8}}
.soft{color:var(--soft)}
table{width:100%;border-collapse:collapse;font-size:.92rem}
th,td{padding:.3rem .8rem .3rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:500}
td:first-child{white-space:nowrap}
`

/** The document as one page of HTML that needs no script. */
export function renderReference(document: OpenApiDocument): string {
  const { info, servers, tags, paths, components } = document
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const links = tags.map(({ name }) => `<li><a href="#${anchor(name)}">${escapeHtml(name)}</a></li>`)
  const sections = tags.map(
    ({ name }) =>
      `<section><h2 id="${anchor(name)}">${escapeHtml(name)}</h2>${calls
        .filter(({ operation }) => operation.tags.includes(name))
        .map((call) => renderCall(document, call))
        .join('')}</section>`,
  )
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${anchor(name)}"><summary><code>${escapeHtml(name)}</code></summary><div>${renderFields(schema, document)}</div></details>`,
  )
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(info.title)}: API reference</title><style>${STYLE}</style></head><body>
<header><h1>${escapeHtml(info.title)} <span class="soft">${escapeHtml(info.version)}</span></h1><p>${escapeHtml(info.description)}
Address: <code>${escapeHtml(servers[0]?.url ?? '')}</code>. For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
<nav aria-label="Sections"><ul>${links.join('')}<li><a href="#schemas">Schemas</a></li></ul></nav></header>
<main>${sections.join('')}<section><h2 id="schemas">Schemas</h2>${schemas.join('')}</section></main></body></html>
`
}

interface Call {
  readonly path: string
  readonly method: string
  readonly operation: OpenApiOperation
}

function renderCall(document: OpenApiDocument, call: Call): string {
  const { path, method, operation } = call
  const { parameters = [], requestBody, responses } = operation
  const body = requestBody?.content['application/json']?.schema
  const parts = [
    operation.description === undefined ? '' : `<p>${escapeHtml(operation.description)}</p>`,
    `<p class="soft">${inWords(operation)}</p>`,
    parameters.length === 0
      ? ''
      : `<h4>Parameters</h4>${renderTable(
          parameters.map(({ name, in: place, required, description, schema }) => ({
            name,
            type: `${describeType(schema)}, ${place}`,
            isRequired: required === true,
            description: description ?? '',
          })),
        )}`,
    body === undefined ? '' : `<h4>Body</h4>${renderFields(body, document)}`,
    `<h4>Try it</h4><pre>${escapeHtml(curl(document, call))}</pre>`,
    `<h4>Answers</h4><table>${Object.entries(responses)
      .map(
        ([status, { description, content }]) =>
          `<tr><td><code>${status}</code></td><td>${escapeHtml(description)}</td><td>${renderContent(content)}</td></tr>`,
      )
      .join('')}</table>`,
  ]
  return `<details id="${escapeHtml(operation.operationId)}"><summary><b class="method ${method}">${method.toUpperCase()}</b><code>${escapeHtml(path)}</code><span class="soft">${escapeHtml(operation.summary)}</span></summary><div>${parts.join('')}</div></details>`
}

function inWords({ security }: OpenApiOperation): string {
  const [needed] = security.flatMap((one) => Object.keys(one))
  if (needed === undefined) {
    return 'Public.'
  }
  return needed === 'adminToken' ? 'Needs an admin token.' : 'Needs an API key.'
}

function renderContent(content: OpenApiOperation['responses'][string]['content'] = {}): string {
  return Object.entries(content)
    .map(([type, { schema }]) => {
      const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1) : undefined
      return name === undefined
        ? `<code>${escapeHtml(type)}</code>`
        : `<a href="#schema-${anchor(name)}"><code>${escapeHtml(name)}</code></a>`
    })
    .join(', ')
}

function renderFields(schema: JsonSchema, document: OpenApiDocument): string {
  const fields = fieldsOf(schema, document)
  return fields.length === 0 ? `<p>${escapeHtml(describeType(schema))}</p>` : renderTable(fields)
}

interface Row {
  readonly name: string
  readonly type: string
  readonly isRequired: boolean
  readonly description: string
}

function renderTable(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ name, type, isRequired, description }) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(type)}${isRequired ? '' : ' <span class="soft">(optional)</span>'}</td><td>${escapeHtml(description)}</td></tr>`,
  )
  return `<table><tr><th>Name</th><th>Takes</th><th></th></tr>${lines.join('')}</table>`
}

/** A call that can be pasted into a shell, once its key and ids are filled in. */
function curl(document: OpenApiDocument, { path, method, operation }: Call): string {
  const url = `${document.servers[0]?.url ?? ''}${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase())}`
  const media = operation.requestBody?.content['application/json']
  const [needed] = operation.security.flatMap((one) => Object.keys(one))
  return [
    `curl ${method === 'head' ? '--head ' : method === 'get' ? '' : `-X ${method.toUpperCase()} `}'${url}'`,
    ...(needed === undefined
      ? []
      : [`-H "Authorization: Bearer ${needed === 'adminToken' ? '$WOMBAT_ADMIN_TOKEN' : '$WOMBAT_API_KEY'}"`]),
    ...(media === undefined
      ? []
      : [
          "-H 'Content-Type: application/json'",
          `-d '${JSON.stringify(media.example ?? sampleOf(media.schema, document))}'`,
        ]),
  ].join(' \\\n  ')
}

function anchor(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
