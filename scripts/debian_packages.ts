/**
 * Downloads programs from Debian's packages and unpacks them into a folder, without root: etcd, and the tools of Prometheus.
 *
 * @module
 */

import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { outputOf, runCommand } from './run_command.ts'

/** The packages to unpack. */
export interface Packages {
  /** Names of required packages. */
  readonly needed: readonly string[]
  /** Names of packages that are left out when they cannot be downloaded. */
  readonly welcome?: readonly string[]
}

/**
 * Downloads packages and unpacks them into the new folder `target`. Folders above it are made, too.
 *
 * Packages are unpacked beside `target` and the folder is renamed at the end, because several processes may do this at the same time. The
 * first one wins.
 *
 * @throws {Error} When a required package cannot be downloaded or unpacked; the message has the output of the command.
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
    // A new machine has no package index. Making one needs root, which a container often has.
    await runCommand('apt-get', ['update'], { folder })
    await outputOf('apt-get', ['download', name], { folder })
  }
}

/** Whether a rename failed because another process has renamed its folder first. */
function isTaken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOTEMPTY' || code === 'EEXIST'
}
