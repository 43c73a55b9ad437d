/**
 * SQLite through `node:sqlite`, which Node, Deno and Bun all have.
 *
 * @module
 */

import { createReadStream, renameSync, rmSync } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { AvisoError } from '#shared/errors.ts'
import {
  databaseFiles,
  FILE_MODE,
  makeFile,
  openWitness,
  readIfThere,
  secure,
  sizeOf,
  syncPath,
  type DatabaseFiles,
} from './database_files.ts'
import { endExchange, refuseCutShort } from './exchange.ts'
import type {
  DatabaseCopy,
  DatabaseLook,
  DatabaseOptions,
  SqlDatabase,
  SqlList,
  SqlRow,
  SqlView,
} from './runtime.ts'

/** Written into the file's header ("AVIS"), so that no other program's database is taken for ours. */
const APPLICATION_ID = 0x41564953
/** Larger files are not checked as a whole when they are opened: at some 500 MB/s a start would take too long. */
const MAX_CHECKED_BYTES = 128 * 1_048_576
/** Memory for pages. With four times as much, filling a store of 700,000 notifications took as much processor time: the system keeps pages, too. */
const CACHE_KIB = 16_384
/** The write-ahead log is cut back to this after a burst. */
const MAX_LOG_BYTES = 64 * 1_048_576
/** Memory for pages of a copy: little, so that its end has little to write. */
const COPY_CACHE_KIB = 2_048
/** Bytes of a copy that are read at once. */
const COPY_CHUNK_BYTES = 65_536
/** Free pages given back in one step: a few milliseconds. */
const RECLAIM_PAGES = 1_000

/**
 * Opens (and makes) a database for this process alone. A commit is on disk when it returns. Its files are for this user alone.
 *
 * @param path A file, or `:memory:`.
 * @throws {AvisoError} `ERR_CONFIG` where the file is in use, damaged, foreign or out of reach, and what `check` throws.
 */
export function openSqlite(path: string, options: DatabaseOptions = {}): SqlDatabase {
  try {
    if (path === ':memory:') return openFile(new DatabaseSync(path), path, undefined)
    const files = databaseFiles(path)
    const { check = () => undefined, warn = () => undefined } = options
    endExchange(files)
    look(files, check)
    for (const file of [files.main, files.log, files.index, files.witness]) secure(file, FILE_MODE, warn)
    rmSync(files.copy, { force: true })
    makeFile(files.main)
    return openFile(new DatabaseSync(path), path, files)
  } catch (error) {
    throw openError(error, path)
  }
}

/**
 * Looks at the database of a file, as {@link look}.
 *
 * @throws {AvisoError} `ERR_CONFIG` as {@link openSqlite}, also where another process has it open; and what `check` throws.
 */
export function lookAtDatabase(path: string, check: (look: DatabaseLook) => void): void {
  try {
    look(databaseFiles(path), check)
  } catch (error) {
    throw openError(error, path)
  }
}

/**
 * Looks at a database and changes nothing: opening it would carry its log over into it, and so remove what a repair by hand needs.
 *
 * @throws {AvisoError} `ERR_CONFIG` as {@link openSqlite}, and what `check` throws.
 */
export function look(files: DatabaseFiles, check: (look: DatabaseLook) => void): void {
  refuseCutShort(files)

  const witness = readIfThere(files.witness)
  const size = sizeOf(files.main) ?? 0
  // A journal is the beginning of a new file that was cut short, which is not to be read without writing.
  if ((sizeOf(files.journal) ?? 0) > 0) return
  if (size === 0) {
    check({ view: undefined, witness, damage: undefined })
    if ((sizeOf(files.log) ?? 0) > 0) throw lonelyLog(files)
    return
  }
  const reader = openReader(files)
  try {
    const { database } = reader
    refuseForeign(database, files.main)
    const damage = findDamage(database, files, size)
    // It can name what is damaged.
    check({ view: toView(database), witness, damage })
    if (damage !== undefined) throw damaged(files.main, damage)
  } finally {
    reader.close()
  }
}

/** A database that is open to be read, and leaves its files as they were when it is closed. */
export interface Reader {
  readonly database: DatabaseSync
  close(): void
}

export function openReader({ main, log, index }: DatabaseFiles): Reader {
  const hadLog = sizeOf(log) !== undefined
  const hadIndex = sizeOf(index) !== undefined
  const database = new DatabaseSync(main, { readOnly: true })
  return {
    database,
    close: () => {
      database.close()
      // Reading made them, and nobody else has the database open: it would be locked.
      if (!hadLog && sizeOf(log) === 0) rmSync(log, { force: true })
      if (!hadIndex) rmSync(index, { force: true })
    },
  }
}

function openFile(database: DatabaseSync, path: string, files: DatabaseFiles | undefined): SqlDatabase {
  try {
    prepareFile(database, path)
  } catch (error) {
    database.close()
    throw error
  }
  return toSqlDatabase(database, files)
}

function prepareFile(database: DatabaseSync, path: string): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  const isNew = refuseForeign(database, path)
  // Only an empty file takes this setting, and the lock below writes the first page.
  if (isNew) database.exec('PRAGMA auto_vacuum = INCREMENTAL')
  // This lock is kept until the file is closed, or the process ends in whatever way.
  database.exec('BEGIN EXCLUSIVE; COMMIT')
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  if (isNew) database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
  database.exec(`PRAGMA journal_size_limit = ${MAX_LOG_BYTES}`)
}

/** @returns Whether the database is new. @throws {AvisoError} `ERR_CONFIG` where another program made it. */
export function refuseForeign(database: DatabaseSync, path: string): boolean {
  const application = pragma(database, 'application_id')
  const isNew = application === 0 && pragma(database, 'schema_version') === 0
  if (!isNew && application !== APPLICATION_ID)
    throw new AvisoError('ERR_CONFIG', `${path} is a database of another program: choose another data folder`)
  return isNew
}

/** @returns What SQLite says of a damaged database; `undefined` where nothing is seen. */
function findDamage(database: DatabaseSync, { log }: DatabaseFiles, size: number): string | undefined {
  if (size <= MAX_CHECKED_BYTES) return checkBy('quick_check', database)
  // What the log holds may not be in the file yet.
  const isCut = (sizeOf(log) ?? 0) === 0 && size < fileBytes(database)
  return isCut ? 'the file is cut short' : undefined
}

/** Checks all of a database, with its indexes. @returns What SQLite says of a damaged one; `undefined` where it is whole. */
export function checkWhole(database: DatabaseSync): string | undefined {
  return checkBy('integrity_check', database)
}

function checkBy(name: 'quick_check' | 'integrity_check', database: DatabaseSync): string | undefined {
  try {
    const result = database.prepare(`PRAGMA ${name}(1)`).get()?.[name]
    return result === 'ok' ? undefined : String(result)
  } catch (error) {
    if (!isMalformed(error)) throw error
    return String(error)
  }
}

function isMalformed(error: unknown): boolean {
  return /malformed|SQLITE_CORRUPT/.test(String(error))
}

/** Statements of a database, kept for their next use. */
function createStatements(
  database: DatabaseSync,
  make = (sql: string): StatementSync => database.prepare(sql),
): (sql: string) => StatementSync {
  const statements = new Map<string, StatementSync>()
  return (sql) => {
    let statement = statements.get(sql)
    if (statement === undefined) {
      statement = make(sql)
      statements.set(sql, statement)
    }
    return statement
  }
}

export function toView(database: DatabaseSync, prepare = createStatements(database)): SqlView {
  const prepareLists = createStatements(database, (sql) => {
    const statement: Partial<Pick<StatementSync, 'setReturnArrays'>> & StatementSync = database.prepare(sql)
    statement.setReturnArrays?.(true)
    return statement
  })
  return {
    all: (sql, ...parameters) => prepare(sql).all(...parameters) as SqlRow[],
    lists: (sql, ...parameters) => toLists(prepareLists(sql).all(...parameters)),
    crc32,
  }
}

/** Node 22 has rows by name only. */
function toLists(rows: readonly unknown[]): SqlList[] {
  return (Array.isArray(rows[0]) ? rows : rows.map((row) => Object.values(row as SqlRow))) as SqlList[]
}

function toSqlDatabase(database: DatabaseSync, files: DatabaseFiles | undefined): SqlDatabase {
  const prepare = createStatements(database)
  const witness = files && openWitness(files.witness)
  let closed = false
  return {
    ...toView(database, prepare),
    run: (sql, ...parameters) => {
      prepare(sql).run(...parameters)
    },
    transaction: (work) => {
      prepare('BEGIN IMMEDIATE').run()
      try {
        const result = work()
        prepare('COMMIT').run()
        return result
      } catch (error) {
        rollBack(() => prepare('ROLLBACK').run())
        throw error
      }
    },
    sizeBytes: () => (files === undefined ? 0 : fileBytes(database)),
    reclaim: () => {
      // Every step of this statement frees one page, and Deno's exec() takes but one.
      prepare(`PRAGMA incremental_vacuum(${RECLAIM_PAGES})`).all()
    },
    ...(witness !== undefined && { witness }),
    ...(files !== undefined && {
      newCopy: createCopier(files),
      keepCopy: (name) => keepCopy(database, files, name),
    }),
    close: () => {
      if (closed) return
      closed = true
      witness?.close()
      database.close()
    },
  }
}

/** The name comes last, so a copy that was cut short is never taken for a whole one. */
function keepCopy(database: DatabaseSync, { main }: DatabaseFiles, name: string): string {
  const path = main.replace(/\.sqlite$/, `.${name}.sqlite`)
  const part = `${path}.new`
  rmSync(part, { force: true })
  // SQLite takes an empty file, which so is for this user alone from its beginning.
  makeFile(part)
  database.prepare('VACUUM INTO ?').run(part)
  syncPath(part)
  renameSync(part, path)
  syncPath(dirname(path))
  return path
}

/** Makes files to copy a database into, one at a time. */
function createCopier({ copy: path }: DatabaseFiles): NonNullable<SqlDatabase['newCopy']> {
  let isBusy = false
  return () => {
    if (isBusy)
      throw new AvisoError('ERR_CONFLICT', 'Another copy of the store is being made: wait for its end')
    rmSync(path, { force: true })
    makeFile(path)
    const database = new DatabaseSync(path)
    isBusy = true
    // It is thrown away where it is not finished, so nothing has to be undone, and nothing synced.
    for (const setting of [
      'auto_vacuum = INCREMENTAL',
      'journal_mode = OFF',
      'synchronous = OFF',
      `cache_size = -${COPY_CACHE_KIB}`,
    ])
      database.prepare(`PRAGMA ${setting}`).all()
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    database.exec('BEGIN')
    return toCopy(database, path, () => {
      isBusy = false
    })
  }
}

function toCopy(database: DatabaseSync, path: string, onRemoved: () => void): DatabaseCopy {
  const prepare = createStatements(database)
  let isOpen = true
  let isRemoved = false
  let handle: FileHandle | undefined
  const close = (): void => {
    if (isOpen) database.close()
    isOpen = false
  }
  return {
    ...toView(database, prepare),
    run: (sql, ...parameters) => {
      prepare(sql).run(...parameters)
    },
    flush: async () => {
      handle ??= await open(path, 'r+')
      await handle.datasync()
    },
    finish: () => {
      database.exec('COMMIT')
      close()
      return sizeOf(path) ?? 0
    },
    bytes: () => createReadStream(path, { highWaterMark: COPY_CHUNK_BYTES }),
    remove: async () => {
      if (isRemoved) return
      isRemoved = true
      close()
      await handle?.close()
      await rm(path, { force: true })
      onRemoved()
    },
  }
}

function rollBack(run: () => void): void {
  try {
    run()
  } catch {
    // SQLite has rolled back by itself, as it does after a full disk or a failed read; the first error is the one to tell.
  }
}

function fileBytes(database: DatabaseSync): number {
  return pragma(database, 'page_count') * pragma(database, 'page_size')
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0)
}

/** What opening a database comes to, in words. */
export function openError(error: unknown, path: string): AvisoError {
  if (error instanceof AvisoError) return error
  // SQLite's own texts: Deno gives no result code here.
  const text = String(error)
  if (text.includes('is locked')) {
    return new AvisoError(
      'ERR_CONFIG',
      `${path} is in use by another process: stop it or choose another data folder`,
      { cause: error },
    )
  }
  if (isUnreadable(error)) return damaged(path, error)
  if (/disk is full|ENOSPC|EDQUOT/.test(text)) {
    return new AvisoError(
      'ERR_CONFIG',
      `${path} cannot be written, because its disk is full: free some space there, or choose another data folder`,
      { cause: error },
    )
  }
  if (/unable to open|ENOENT|ENOTDIR|EACCES|EPERM|EROFS/.test(text)) {
    return new AvisoError(
      'ERR_CONFIG',
      `${path} cannot be opened: check that its folder may be read and written, or choose another data folder`,
      { cause: error },
    )
  }
  return new AvisoError(
    'ERR_CONFIG',
    `${path} cannot be used as a database: check its disk, the room there, and its permissions`,
    { cause: error },
  )
}

/** Whether a file is damaged where SQLite begins to read it, or none of SQLite's. */
export function isUnreadable(error: unknown): boolean {
  return /not a database|malformed/.test(String(error))
}

function lonelyLog({ main, log }: DatabaseFiles): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    `${main} is gone, but its log ${log} is there: put it back, restore a backup with "aviso admin restore FILE", or move the log away`,
  )
}

function damaged(path: string, cause?: unknown): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    `${path} is damaged or no database, and cannot be opened at all: restore a backup with "aviso admin restore FILE", or move it away`,
    { cause },
  )
}
