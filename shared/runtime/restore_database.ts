/**
 * Puts a copy in place of a database. At every moment, whatever ends the process, the next start has the old database, or the new one, or
 * refuses to start; it never has a part of one.
 *
 * @module
 */

import { chmodSync, copyFileSync, linkSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { AvisoError } from '#shared/errors.ts'
import {
  databaseFiles,
  FILE_MODE,
  FOLDER_MODE,
  readIfThere,
  replaceFile,
  sizeOf,
  syncPath,
  type DatabaseFiles,
} from './database_files.ts'
import { databaseFile } from './process_host.ts'
import type { RestoreSteps, SqlDatabase } from './runtime.ts'
import { look, openReader, openSqlite, type Reader } from './sqlite.ts'

/** Name of the copy while it is made ready. */
export const STAGED_FILE = 'aviso.restore.sqlite'

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
  const staged = databaseFiles(join(folder, STAGED_FILE))
  const lock = lockOld(files)
  try {
    removeAll(staged)
    lookAtOld(files, steps.look)
    const witness = await stage(file, staged, steps.prepare)
    putInPlace({ files, staged, witness, aside: join(folder, steps.aside) })
  } catch (error) {
    throw error instanceof AvisoError ? error : restoreError(error)
  } finally {
    lock?.close()
    removeAll(staged)
  }
}

/**
 * Keeps every other process from opening the database.
 *
 * @returns `undefined` where there is none, or one that cannot be opened at all.
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
    if (!String(error).includes('is locked')) return undefined
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
    return await prepare(copy)
  } finally {
    // The log goes into the file, so that one rename puts all of it in place.
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

interface Exchange {
  readonly files: DatabaseFiles
  readonly staged: DatabaseFiles
  readonly witness: Uint8Array
  readonly aside: string
}

/** Moves what is there aside, and the copy into its place. */
export function putInPlace({ files, staged, witness, aside }: Exchange): void {
  syncPath(staged.main)
  mkdirSync(aside, { mode: FOLDER_MODE })
  const undo: (() => void)[] = [() => rmSync(aside, { recursive: true, force: true })]
  const inAside = (path: string): string => join(aside, basename(path))
  try {
    if (sizeOf(files.witness) !== undefined) copyFileSync(files.witness, inAside(files.witness))
    // The log first: with another database it would be carried over into it. The old database without it is behind its witness.
    if ((sizeOf(files.log) ?? 0) > 0) {
      renameSync(files.log, inAside(files.log))
      undo.push(() => renameSync(inAside(files.log), files.log))
    }
    if (sizeOf(files.main) !== undefined) linkSync(files.main, inAside(files.main))
    renameSync(staged.main, files.main)
  } catch (error) {
    for (const step of undo.toReversed()) step()
    throw error
  }
  // The new database holds another epoch, and later than the old witness, which so says nothing against it until it is replaced.
  replaceFile(files.witness, witness)
  rmSync(files.index, { force: true })
  syncPath(aside)
}

export function removeAll({ main, log, index, journal }: DatabaseFiles): void {
  for (const path of [main, log, index, journal]) rmSync(path, { force: true })
}

function restoreError(cause: unknown): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    'The backup could not be put in place: check the room on the disk and the permissions of the data folder',
    { cause },
  )
}
