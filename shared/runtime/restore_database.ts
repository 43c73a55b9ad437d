/**
 * Puts a copy in place of a database.
 *
 * @module
 */

import { chmodSync, copyFileSync, realpathSync } from 'node:fs'
import { AvisoError } from '#shared/errors.ts'
import { databaseFiles, FILE_MODE, readIfThere, sizeOf, type DatabaseFiles } from './database_files.ts'
import { closeStaged, exchanging, putInPlace } from './exchange.ts'
import { databaseFile } from './process_host.ts'
import type { RestoreSteps, SqlDatabase } from './runtime.ts'
import { look, openReader, openSqlite, type Reader } from './sqlite.ts'

/**
 * Restores a database.
 *
 * @param file A database, whole or with its log beside it. It is not changed.
 * @throws {AvisoError} `ERR_CONFIG` where the file cannot be used or a process has the database open, and what `prepare` throws. What was
 *   there is then as it was.
 */
export async function restoreDatabase(file: string, folder: string, steps: RestoreSteps): Promise<void> {
  if (sizeOf(file) === undefined)
    throw new AvisoError(
      'ERR_CONFIG',
      `There is no file ${file}: name a file that "aviso admin backup" wrote`,
    )
  const files = databaseFiles(await databaseFile(folder))
  if (sizeOf(files.main) !== undefined && realpathSync(file) === realpathSync(files.main))
    throw new AvisoError('ERR_CONFIG', `${file} is the database itself: name a copy of it`)
  try {
    await exchanging(files, async (staged) => {
      const lock = lockUnlessDamaged(files)
      try {
        lookAtOld(files, steps.look)
        const witness = await stage(file, staged, steps.prepare)
        putInPlace(files, { witness, aside: steps.aside })
      } finally {
        lock?.close()
      }
    })
  } catch (error) {
    throw error instanceof AvisoError ? error : restoreError(error)
  }
}

/** One that cannot be read may be why it is replaced. */
function lockUnlessDamaged(files: DatabaseFiles): Reader | undefined {
  try {
    return lockOld(files)
  } catch (error) {
    if (error instanceof AvisoError) throw error
    return undefined
  }
}

/**
 * Keeps every other process from opening the database.
 *
 * @returns `undefined` where there is none.
 * @throws {AvisoError} `ERR_CONFIG` where a process has it open, and what SQLite throws for one that cannot be read.
 */
export function lockOld(files: DatabaseFiles): Reader | undefined {
  if ((sizeOf(files.main) ?? 0) === 0) return undefined
  const reader = openReader(files)
  try {
    reader.database.exec('BEGIN')
    reader.database.prepare('SELECT count(*) FROM sqlite_master').all()
    return reader
  } catch (error) {
    reader.close()
    if (!String(error).includes('is locked')) throw error
    throw new AvisoError('ERR_CONFIG', `${files.main} is in use by another process: stop it first`, {
      cause: error,
    })
  }
}

/** Copies the file and makes the copy ready. */
async function stage(
  file: string,
  staged: DatabaseFiles,
  prepare: RestoreSteps['prepare'],
): Promise<Uint8Array> {
  copyFileSync(file, staged.main)
  if ((sizeOf(`${file}-wal`) ?? 0) > 0) copyFileSync(`${file}-wal`, staged.log)
  for (const copied of [staged.main, staged.log])
    if (sizeOf(copied) !== undefined) chmodSync(copied, FILE_MODE)
  const copy = openCopy(file, staged)
  try {
    const witness = await prepare(copy)
    closeStaged(copy, staged)
    return witness
  } finally {
    copy.close()
  }
}

function openCopy(file: string, { main }: DatabaseFiles): SqlDatabase {
  try {
    return openSqlite(main)
  } catch (cause) {
    throw new AvisoError('ERR_CONFIG', `${file} is damaged, or no store: take another backup`, { cause })
  }
}

function lookAtOld(files: DatabaseFiles, use: RestoreSteps['look']): void {
  try {
    look(files, use)
  } catch {
    // It is damaged, which may be why it is replaced: the witness alone can tell.
    use({ view: undefined, witness: readIfThere(files.witness), damage: undefined })
  }
}

function restoreError(cause: unknown): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    'The backup could not be put in place: check the room on the disk and the permissions of the data folder',
    { cause },
  )
}
