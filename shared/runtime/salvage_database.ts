/**
 * Puts what can be read of a damaged database in its place, in a new file. What was there is moved aside, so that other tools can be tried on it.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { databaseFiles, readIfThere, sizeOf, type DatabaseFiles } from './database_files.ts'
import { closeStaged, exchanging, putInPlace } from './exchange.ts'
import { databaseFile } from './process_host.ts'
import { lockOld } from './restore_database.ts'
import type { SalvageSteps, SqlDatabase } from './runtime.ts'
import {
  checkWhole,
  isUnreadable,
  openError,
  openSqlite,
  refuseForeign,
  toView,
  type Reader,
} from './sqlite.ts'

/**
 * Looks at all of a database, and salvages it where pages of it are damaged.
 *
 * @returns Whether that was so. A database that SQLite cannot open at all is left as it is.
 * @throws {AvisoError} `ERR_CONFIG` where a process has the database open, and what `fill` throws. What was there is then as it was.
 */
export async function salvageDatabase(folder: string, steps: SalvageSteps): Promise<boolean> {
  const files = databaseFiles(await databaseFile(folder))
  // A journal is the beginning of a new file that was cut short.
  if ((sizeOf(files.journal) ?? 0) > 0) return false
  try {
    return await exchanging(files, (staged) => salvageInto(staged, files, steps))
  } catch (error) {
    throw error instanceof AvisoError ? error : salvageError(error)
  }
}

async function salvageInto(
  staged: DatabaseFiles,
  files: DatabaseFiles,
  steps: SalvageSteps,
): Promise<boolean> {
  const lock = lockReadable(files)
  if (lock === undefined) return false
  try {
    refuseForeign(lock.database, files.main)
    const damage = checkWhole(lock.database)
    if (damage === undefined) return false
    const copy = openStaged(staged)
    try {
      const old = { view: toView(lock.database), witness: readIfThere(files.witness), damage }
      const witness = await steps.fill(old, copy)
      closeStaged(copy, staged)
      putInPlace(files, { witness, aside: steps.aside })
    } finally {
      copy.close()
    }
    return true
  } finally {
    lock.close()
  }
}

function openStaged({ main }: DatabaseFiles): SqlDatabase {
  try {
    return openSqlite(main)
  } catch (cause) {
    throw salvageError(cause)
  }
}

/** @returns `undefined` where there is none, or one that cannot be opened at all. */
function lockReadable(files: DatabaseFiles): Reader | undefined {
  try {
    return lockOld(files)
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw openError(error, files.main)
  }
}

function salvageError(cause: unknown): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    'What can be read of the embedded store could not be copied: make twice as much room in the data folder as the store takes, and at least 16 MiB, or restore a backup with "aviso admin restore FILE". Nothing was changed',
    { cause },
  )
}
