/**
 * The oldest supported Node, fetched as an npm package into `.cache` when it is first needed.
 *
 * @module
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Pinned like a dependency; not one in package.json, because its command would take the place of the project's own `node`. */
const VERSION = '22.23.3'
const CACHE = fileURLToPath(new URL('../../.cache/node22', import.meta.url))

/** Path of a Node 22 binary. */
export async function findNode22(): Promise<string> {
  // The package that `node` itself installs for this system: the binary alone, without an install script.
  const name = `node-${process.platform}-${process.arch}`
  const binary = join(CACHE, 'node_modules', name, 'bin', 'node')
  if (existsSync(binary)) return binary
  mkdirSync(CACHE, { recursive: true })
  const install = ['install', '--prefix', CACHE, '--no-save', '--no-audit', '--no-fund', `${name}@${VERSION}`]
  const result = spawnSync('npm', install, { encoding: 'utf8' })
  if (existsSync(binary)) return binary
  throw new Error(`Cannot install Node ${VERSION} as an npm package:\n${result.stdout}\n${result.stderr}`)
}
