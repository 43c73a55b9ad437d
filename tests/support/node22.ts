/**
 * The oldest supported Node, fetched as an npm package into `.cache` when it is first needed.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { outputOf } from '../../scripts/run_command.ts'

/** Pinned like a dependency; not one in package.json, because its command would take the place of the project's own `node`. */
const VERSION = '22.23.3'
const FOLDER = fileURLToPath(new URL(`../../.cache/node-${VERSION}`, import.meta.url))
/** The package that `node` itself installs for this system: the binary alone, without an install script. */
const PACKAGE = `node-${process.platform}-${process.arch}`
const BINARY = join(FOLDER, 'node_modules', PACKAGE, 'bin', 'node')

/**
 * Path of a Node 22 binary; the first call in a clone downloads it.
 *
 * @throws {Error} Where npm cannot install it, with what npm printed.
 */
export async function findNode22(): Promise<string> {
  if (existsSync(BINARY)) return BINARY
  await mkdir(dirname(FOLDER), { recursive: true })
  // Installed beside and renamed, because several test processes may do the same: one must not run another's half of a file.
  const folder = await mkdtemp(`${FOLDER}-`)
  const options = ['--no-save', '--no-audit', '--no-fund']
  try {
    await outputOf('npm', ['install', '--prefix', folder, ...options, `${PACKAGE}@${VERSION}`], { folder })
    await rename(folder, FOLDER)
  } catch (cause) {
    if (!existsSync(BINARY)) throw new Error(`Cannot install Node ${VERSION} as an npm package`, { cause })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return BINARY
}
