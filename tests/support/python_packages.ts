/**
 * Programs in Python that tests talk to. Each has a virtual environment in `.cache/python`, which the first use on a machine makes.
 *
 * @module
 */

import { access, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { outputOf } from '../../scripts/run_command.ts'

const FOLDER = fileURLToPath(new URL('../../.cache/python', import.meta.url))

/** What to install. A name with a version is one environment. */
export interface PythonPackage {
  /** Name and version of the environment, such as `moto-5.2.5`. */
  readonly name: string
  /** What pip is told, with exact versions. */
  readonly requirements: readonly string[]
}

/**
 * Finds the environment, or makes it.
 *
 * @returns the folder of its programs
 * @throws {Error} where there is no Python with pip, or the packages cannot be had.
 */
export async function findPythonPackage({ name, requirements }: PythonPackage): Promise<string> {
  const folder = join(FOLDER, name)
  const bin = join(folder, 'bin')
  if (await isThere(bin)) return bin
  // Made aside: several test files may need it at once, and an installation may be cut short.
  const aside = `${folder}.${process.pid}`
  try {
    await outputOf('python3', ['-m', 'venv', aside])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...requirements]
    await outputOf(join(aside, 'bin', 'python'), pip)
    await rename(aside, folder)
  } catch (cause) {
    await rm(aside, { recursive: true, force: true })
    // Another process was first.
    if (await isThere(bin)) return bin
    throw new Error(`${name} cannot be installed with python3 and pip here`, { cause })
  }
  return bin
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
