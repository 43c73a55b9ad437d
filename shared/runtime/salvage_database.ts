/**
 * Puts what can be read of a damaged database in its place, in a new file. What was there is moved aside, so that other tools can be tried on it.
 *
 * @module
 */

import { join } from 'node:path'
import { AvisoError } from '#shared/errors.ts'
import { databaseFiles, readIfThere, sizeOf } from './database_files.ts'
import { databaseFile } from './process_host.ts'
import { lockOld, putInPlace, removeAll, STAGED_FILE } from './restore_database.ts'
import type { SalvageSteps } from './runtime.ts'
import { checkWhole, openSqlite, refuseForeign, toView } from './sqlite.ts'

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
  const lock = lockOld(files)
  if (lock === undefined) return false
  const staged = databaseFiles(join(folder, STAGED_FILE))
  try {
    refuseForeign(lock.database, files.main)
    const damage = checkWhole(lock.database)
    if (damage === undefined) return false
    removeAll(staged)
    const copy = openSqlite(staged.main)
    let witness: Uint8Array
    try {
      witness = await steps.fill(
        { view: toView(lock.database), witness: readIfThere(files.witness), damage },
        copy,
      )
    } finally {
      // The log goes into the file, so that one rename puts all of it in place.
      copy.close()
    }
    putInPlace({ files, staged, witness, aside: join(folder, steps.aside) })
    return true
  } catch (error) {
    throw error instanceof AvisoError ? error : salvageError(error)
  } finally {
    lock.close()
    removeAll(staged)
  }
}

function salvageError(cause: unknown): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    'What can be read of the embedded store could not be copied: make as much room in the data folder as the store takes, or restore a backup with "aviso admin restore FILE". Nothing was changed',
    { cause },
  )
}
