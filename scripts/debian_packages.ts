/**
 * Programs from Debian's packages, unpacked into a folder without root: etcd, and the tools of Prometheus.
 *
 * @module
 */

import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { outputOf, runCommand } from './run_command.ts'

/** What is unpacked. */
export interface Packages {
  /** Names of packages that must be there. */
  readonly needed: readonly string[]
  /** Names of packages that are left out where they cannot be had. */
  readonly welcome?: readonly string[]
}

/**
 * Downloads packages and unpacks them into `target`, which is made, with the folders above it.
 *
 * It unpacks beside `target` and renames at the end, because several processes may do the same. The first one wins.
 *
 * @throws {Error} Where a needed package cannot be downloaded or unpacked, with what the command printed.
 */
export async function unpackPackages({ needed, welcome = [] }: Packages, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true })
  const folder = await mkdtemp(`${target}-`)
  try {
    for (const name of needed) await downloadPackage(name, folder)
    for (const name of welcome) await downloadPackage(name, folder).catch(() => undefined)
    const files = (await readdir(folder)).filter((name) => name.endsWith('.deb'))
    for (const name of files) await outputOf('dpkg-deb', ['-x', name, '.'], { folder })
    await Promise.all(files.map((name) => rm(join(folder, name))))
    await rename(folder, target).catch((error: unknown) => {
      if (!isTaken(error)) throw error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function downloadPackage(name: string, folder: string): Promise<void> {
  try {
    await outputOf('apt-get', ['download', name], { folder })
  } catch {
    // A fresh machine has no package index; making one takes root, which a container often has.
    await runCommand('apt-get', ['update'], { folder })
    await outputOf('apt-get', ['download', name], { folder })
  }
}

/** Whether another process has renamed its folder first. */
function isTaken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOTEMPTY' || code === 'EEXIST'
}
