/**
 * A wall clock for one process that a test can move: libfaketime is loaded into the process, and reads how far its clock is off from a file
 * whenever it is asked for the time. The monotonic clock stays.
 *
 * @module
 */

import { access, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unpackPackages } from '../../scripts/debian_packages.ts'
import { missing } from '../support/missing.ts'

/** A clock. */
export interface FakeClock {
  /** For the process that has it. */
  readonly environment: Readonly<Record<string, string>>
  /** Moves it, at once. @param seconds How far it is off: ahead, or behind for a negative number. */
  set(seconds: number): Promise<void>
}

/** Folder of the unpacked package. */
const UNPACKED = fileURLToPath(new URL('../../.cache/faketime', import.meta.url))
/** The library for processes with several threads. */
const LIBRARY = 'libfaketimeMT.so.1'

/** Why no clock can be moved here, or `false`. @throws {Error} Instead of the reason where `CI` is set. */
export function fakeClockMissing(): Promise<string | false> {
  return missing(findLibrary)
}

/** Makes a clock that is right. @param file Where it is written how far it is off. @throws {Error} Without the library. */
export async function createFakeClock(file: string): Promise<FakeClock> {
  const library = await findLibrary()
  const set = (seconds: number): Promise<void> =>
    // In one write: the process may read at any time.
    writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}\n`)
  await set(0)
  return {
    set,
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
  }
}

/** The library's path. The first call on a machine may download it. @throws {Error} When it cannot be had. */
async function findLibrary(): Promise<string> {
  const found = await findUnpacked()
  if (found !== undefined) return found
  try {
    await unpackPackages({ needed: ['libfaketime'] }, UNPACKED)
  } catch (cause) {
    throw new Error('Clocks cannot be moved: apt-get cannot download the package libfaketime', { cause })
  }
  const unpacked = await findUnpacked()
  if (unpacked !== undefined) return unpacked
  throw new Error(`Clocks cannot be moved: the package libfaketime has no ${LIBRARY}`)
}

/** Its folder has the name of the machine's processor. */
async function findUnpacked(): Promise<string | undefined> {
  const libraries = join(UNPACKED, 'usr', 'lib')
  for (const folder of await readdir(libraries).catch(() => [])) {
    const path = join(libraries, folder, 'faketime', LIBRARY)
    const isThere = await access(path).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  return undefined
}
