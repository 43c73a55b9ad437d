/**
 * Packages that one test or one measurement needs and nothing else does: pinned here, fetched into `.cache` when they are first needed.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { outputOf } from './run_command.ts'

const CACHE = fileURLToPath(new URL('../.cache/npm', import.meta.url))

/** Name → version. */
const PACKAGES = { wrangler: '4.164.0', srvx: '1.0.8' } as const

/**
 * Folder of an installed package; the first call in a clone downloads it.
 *
 * @throws {Error} Where npm cannot install it, with what npm printed.
 */
export async function findPackage(name: keyof typeof PACKAGES): Promise<string> {
  const version = PACKAGES[name]
  const folder = join(CACHE, `${name}-${version}`)
  const found = join(folder, 'node_modules', name)
  if (existsSync(found)) return found
  await mkdir(dirname(folder), { recursive: true })
  // Installed beside and renamed, because several test processes may do the same: one must not use another's half of a package.
  const made = await mkdtemp(`${folder}-`)
  try {
    const options = ['--no-save', '--no-audit', '--no-fund']
    await outputOf('npm', ['install', '--prefix', made, ...options, `${name}@${version}`], { folder: made })
    await rename(made, folder)
  } catch (cause) {
    if (!existsSync(found)) throw new Error(`Cannot install ${name} ${version} from npm`, { cause })
  } finally {
    await rm(made, { recursive: true, force: true })
  }
  return found
}
