const { existsSync } = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')

class PrismaConfigEnvError extends Error {}

function findPrismaConfigFile(root = process.cwd()) {
  const file = path.join(root, 'prisma.config.ts')
  return existsSync(file) ? file : null
}

/** Answers what the command expects of @prisma/config: paths made absolute, a failure as a value. */
async function loadConfigFromFile({ configFile, configRoot = process.cwd() }) {
  const file = configFile === undefined ? findPrismaConfigFile(configRoot) : path.resolve(configRoot, configFile)
  const diagnostics = []
  if (file === null) {
    return { resolvedPath: null, config: defaultConfig(), diagnostics }
  }
  if (!existsSync(file)) {
    return { resolvedPath: file, error: { _tag: 'ConfigFileNotFound' }, diagnostics }
  }
  try {
    const { default: config } = await import(pathToFileURL(file).href)
    return { resolvedPath: file, config: withAbsolutePaths(config, path.dirname(file), file), diagnostics }
  } catch (error) {
    return { resolvedPath: file, error: { _tag: 'ConfigLoadError', error }, diagnostics }
  }
}

function withAbsolutePaths(config, root, loadedFromFile) {
  const resolve = (value) => (value ? path.resolve(root, value) : undefined)
  return {
    ...config,
    schema: resolve(config.schema),
    migrations: { ...config.migrations, path: resolve(config.migrations?.path) },
    typedSql: { ...config.typedSql, path: resolve(config.typedSql?.path) },
    views: { ...config.views, path: resolve(config.views?.path) },
    loadedFromFile,
  }
}

function defaultConfig() {
  return { loadedFromFile: null }
}

module.exports = { PrismaConfigEnvError, defaultConfig, findPrismaConfigFile, loadConfigFromFile }
