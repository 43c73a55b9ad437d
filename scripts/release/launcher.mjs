#!/usr/bin/env node
/**
 * The command `aviso` of the npm package. It is plain JavaScript, because an old Node must be able to run it.
 *
 * Where this Node is new enough, the program runs in this process. Otherwise it runs on the Node that came with the package.
 */
import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { homedir, constants } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** The first Node that has SQLite without a flag. */
const [NEEDED_MAJOR, NEEDED_MINOR] = [22, 13]
/** What users and service managers send to a service. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

const brought = isNewEnough() ? undefined : findBroughtNode()
if (brought === undefined) {
  silenceSqlite()
  keepCompiledCode()
  await import('../lib/program/main.mjs')
} else {
  runOn(brought)
}

function isNewEnough() {
  // Bun and Deno bring what is needed.
  if (process.versions.bun !== undefined || process.versions.deno !== undefined) return true
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > NEEDED_MAJOR || (major === NEEDED_MAJOR && minor >= NEEDED_MINOR)
}

/** An optional dependency: `npm install --omit=optional` leaves it out, and the program says what an old Node lacks. */
function findBroughtNode() {
  try {
    const name = `node-${process.platform}-${process.arch}`
    return join(createRequire(import.meta.url).resolve(`${name}/package.json`), '..', 'bin', 'node')
  } catch {
    return undefined
  }
}

function runOn(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    // Ctrl-C reaches both processes, and is handed on too: it counts once (scripts/stop_requests.ts).
    env: { ...process.env, _AVISO_HANDS_ON_SIGNALS: '1' },
  })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  child.once('error', (error) => {
    console.error(`error: ${node} cannot be started: ${error.message}`)
    process.exit(2)
  })
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

/** Node's warning that SQLite is new says nothing to users. */
function silenceSqlite() {
  const emitWarning = process.emitWarning
  process.emitWarning = (warning, ...rest) => {
    if (rest[0] !== 'ExperimentalWarning' || !String(warning).startsWith('SQLite'))
      emitWarning(warning, ...rest)
  }
}

/**
 * A start mostly compiles code, and a cache saves that from the second start on. It is in the user's own folder and not, as by default, in
 * the folder for temporary files, where another user of the machine could put code. Without such a folder there is no cache.
 */
function keepCompiledCode() {
  const named = process.env.XDG_CACHE_HOME ?? ''
  try {
    const above = named === '' ? homedir() : named
    if (statSync(above).uid !== process.geteuid?.()) return
    module.enableCompileCache?.(join(named === '' ? join(above, '.cache') : named, 'aviso', 'node_compile'))
  } catch {
    // The program runs without it.
  }
}
