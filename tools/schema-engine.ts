// Prisma's schema engine as WebAssembly, because its native build is not to be had everywhere.
import { SchemaEngine } from '@prisma/schema-engine-wasm'

/** The SQL that leads from one Prisma schema to another, '' when they agree. Throws on a schema with an error. */
export async function diffSchemas(from: string | undefined, to: string): Promise<string> {
  const engine = await SchemaEngine.new({ datamodels: [['schema.prisma', to]] }, () => {}, noDatabase())
  const { exitCode, stdout } = await engine.diff({
    from: from === undefined ? { tag: 'empty' } : { tag: 'schemaDatamodel', ...asFiles(from) },
    to: { tag: 'schemaDatamodel', ...asFiles(to) },
    script: true,
    exitCode: true,
    filters: { externalTables: [], externalEnums: [] },
  })
  return exitCode === 0 ? '' : (stdout ?? '')
}

function asFiles(content: string) {
  return { files: [{ path: 'schema.prisma', content }] }
}

/** An adapter that answers the one question of the engine's start, the server's version, and nothing else. */
function noDatabase() {
  const ColumnType = { int32: 0, boolean: 5, text: 7 }
  const names = { provider: 'postgres', adapterName: 'none' }
  const version = {
    columnNames: ['exists', 'version', 'numeric_version'],
    columnTypes: [ColumnType.boolean, ColumnType.text, ColumnType.int32],
    rows: [[true, 'PostgreSQL 18', 180000]],
  }
  const refuse = () => Promise.reject(new Error('There is no database here.'))
  const connection = {
    ...names,
    getConnectionInfo: () => ({ ok: true, value: { supportsRelationJoins: true, schemaName: 'public' } }),
    queryRaw: () => Promise.resolve({ ok: true, value: version }),
    executeRaw: refuse,
    executeScript: refuse,
    startTransaction: refuse,
    dispose: () => Promise.resolve({ ok: true }),
  }
  return { ...names, connect: () => Promise.resolve({ ok: true, value: connection }), connectToShadowDb: refuse }
}
