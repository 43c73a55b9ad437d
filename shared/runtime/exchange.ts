/**
 * Puts a new database in place of one, and moves what was there aside. Whatever ends the process, at every moment, the next start has the old
 * database, or the new one, or refuses to start, and the next exchange first puts the old one back. It never has a part of one.
 *
 * | files | state | next start | next exchange |
 * |---|---|---|---|
 * | no pending folder | nothing has been moved | has the old one | removes the staged files |
 * | pending folder, staged database | the old log may be in the pending folder | refuses if so | puts the log back |
 * | pending folder, no staged database | the new one is in place | ends the exchange | ends it, too |
 *
 * The pending folder gets its own name last. Its name says that one.
 *
 * @module
 */

import { copyFileSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AvisoError } from '#shared/errors.ts'
import {
  databaseFiles,
  FOLDER_MODE,
  makeFile,
  replaceFile,
  sizeOf,
  syncPath,
  type DatabaseFiles,
} from './database_files.ts'
import type { SqlDatabase } from './runtime.ts'

/** Begin of the name of a pending folder, behind the name of its database. */
const PENDING = '.pending-'

/** The files of the database that is made ready to take the place of one. */
function stagedFiles({ main }: DatabaseFiles): DatabaseFiles {
  return databaseFiles(`${baseOf(main)}.restore.sqlite`)
}

/** An exchange that was cut short, and what of it is there. */
interface Pending {
  readonly folder: string
  /** The name that the folder gets last. */
  readonly aside: string
  /** The old log in it. */
  readonly log: string
}

/**
 * Has an exchange done by this process alone. One that was cut short is undone first, or ended.
 *
 * @param work Makes the staged database, and exchanges it.
 * @throws {AvisoError} `ERR_CONFIG` where another process is at it, and what `work` throws.
 */
export async function exchanging<Result>(
  files: DatabaseFiles,
  work: (staged: DatabaseFiles) => Promise<Result>,
): Promise<Result> {
  const path = lockFile(files)
  const lock = openLock(path)
  try {
    takeLock(lock, files)
    const staged = stagedFiles(files)
    try {
      settle(files, staged)
      return await work(staged)
    } finally {
      if (findPending(files) === undefined) removeAll(staged)
      rmSync(path, { force: true })
    }
  } finally {
    lock.close()
  }
}

function lockFile({ main }: DatabaseFiles): string {
  return `${baseOf(main)}.restore.lock`
}

/** As a database, because its lock ends with the process, in whatever way. */
function openLock(path: string): DatabaseSync {
  try {
    makeFile(path)
    return new DatabaseSync(path)
  } catch (cause) {
    throw new AvisoError(
      'ERR_CONFIG',
      `${path} cannot be made: check the permissions of its folder and the room on its disk`,
      { cause },
    )
  }
}

function takeLock(lock: DatabaseSync, { main }: DatabaseFiles): void {
  try {
    // So that it needs no room.
    lock.prepare('PRAGMA journal_mode = MEMORY').all()
    lock.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    if (!String(cause).includes('is locked')) throw cause
    throw new AvisoError('ERR_CONFIG', `${main} is being replaced by another process: wait for its end`, {
      cause,
    })
  }
}

/** Puts back what an exchange that was cut short had moved, or ends it where the new database is in place. */
function settle(files: DatabaseFiles, staged: DatabaseFiles): void {
  const pending = findPending(files)
  if (pending !== undefined && sizeOf(staged.main) === undefined) end(files, pending)
  else if (pending !== undefined) {
    if (isMoved(pending, staged)) putBack(files, pending)
    rmSync(pending.folder, { recursive: true, force: true })
  }
  removeAll(staged)
}

function putBack({ log }: DatabaseFiles, pending: Pending): void {
  if ((sizeOf(log) ?? 0) > 0)
    throw new AvisoError(
      'ERR_CONFIG',
      `There are two logs of the embedded store, ${log} and ${pending.log}: something else has opened it while it was being replaced. Move one of them away`,
    )
  renameSync(pending.log, log)
}

/**
 * Refuses a database whose log is in a pending folder.
 *
 * @throws {AvisoError} `ERR_CONFIG`
 */
export function refuseCutShort(files: DatabaseFiles): void {
  const pending = findPending(files)
  if (pending === undefined || !isMoved(pending, stagedFiles(files))) return
  throw new AvisoError(
    'ERR_CONFIG',
    `${files.main} was being replaced when that was cut short, and its log is in ${pending.folder}: do it again with "aviso admin restore FILE", or start once with --accept-loss. Both first put back what was there. Nothing was changed`,
  )
}

/** Ends an exchange that was cut short when the new database was in place. */
export function endExchange(files: DatabaseFiles): void {
  const pending = findPending(files)
  if (pending === undefined || sizeOf(stagedFiles(files).main) !== undefined) return
  end(files, pending)
  rmSync(lockFile(files), { force: true })
}

function isMoved({ log }: Pending, staged: DatabaseFiles): boolean {
  return sizeOf(log) !== undefined && sizeOf(staged.main) !== undefined
}

/**
 * Ends the writing of a staged database. Its log goes into the file, so that one rename puts all of it in place.
 *
 * @throws {Error} Where there is no room for that: SQLite does not say so.
 */
export function closeStaged(copy: SqlDatabase, { log }: DatabaseFiles): void {
  copy.close()
  if ((sizeOf(log) ?? 0) > 0)
    throw new Error('ENOSPC: the log of the new database does not fit into its file')
}

/** Moves what is there aside, and the staged database into its place. @param aside Name of the folder for what was there. */
export function putInPlace(
  files: DatabaseFiles,
  { witness, aside }: { readonly witness: Uint8Array; readonly aside: string },
): void {
  const staged = stagedFiles(files)
  const base = baseOf(files.main)
  const folder = `${base}${PENDING}${aside}`
  const inPending = (path: string): string => join(folder, basename(path))
  // Behind the exchange it would be too late to find that out.
  if (sizeOf(join(dirname(base), aside)) !== undefined) throw new Error(`EEXIST: there is a folder ${aside}`)
  syncPath(staged.main)
  // Now, while there may be no room for it.
  replaceFile(staged.witness, witness)
  mkdirSync(folder, { mode: FOLDER_MODE })
  const undo: (() => void)[] = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    if (sizeOf(files.witness) !== undefined) copyFileSync(files.witness, inPending(files.witness))
    if (sizeOf(files.main) !== undefined) linkSync(files.main, inPending(files.main))
    // With another database it would be carried over into it. The old database without it is behind its witness.
    if ((sizeOf(files.log) ?? 0) > 0) {
      renameSync(files.log, inPending(files.log))
      undo.push(() => renameSync(inPending(files.log), files.log))
    }
    for (const path of [folder, dirname(folder)]) syncPath(path)
    renameSync(staged.main, files.main)
  } catch (error) {
    for (const step of undo.toReversed()) step()
    throw error
  }
  endExchange(files)
}

/** The new database holds another epoch, and later than the old witness, which so says nothing against it until it is replaced. */
function end(files: DatabaseFiles, { folder, aside }: Pending): void {
  const { witness } = stagedFiles(files)
  if (sizeOf(witness) !== undefined) renameSync(witness, files.witness)
  rmSync(files.index, { force: true })
  renameSync(folder, join(dirname(folder), aside))
  syncPath(dirname(folder))
}

function findPending({ main, log }: DatabaseFiles): Pending | undefined {
  const folder = dirname(main)
  const prefix = `${basename(baseOf(main))}${PENDING}`
  const name = namesIn(folder).find((one) => one.startsWith(prefix))
  if (name === undefined) return undefined
  const pending = join(folder, name)
  return { folder: pending, aside: name.slice(prefix.length), log: join(pending, basename(log)) }
}

/** Empty where there is no such folder yet. */
function namesIn(folder: string): readonly string[] {
  return sizeOf(folder) === undefined ? [] : readdirSync(folder)
}

function removeAll({ main, log, index, journal, witness }: DatabaseFiles): void {
  for (const path of [main, log, index, journal, witness]) rmSync(path, { force: true })
}

function baseOf(main: string): string {
  return main.replace(/\.sqlite$/, '')
}
