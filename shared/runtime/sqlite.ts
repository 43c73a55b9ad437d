/**
 * SQLite through `node:sqlite`, which Node, Deno and Bun all have.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { AvisoError } from '#shared/errors.ts'
import type { SqlDatabase, SqlRow } from './runtime.ts'

/** Written into the file's header ("AVIS"), so that no other program's database is taken for ours. */
const APPLICATION_ID = 0x41564953
/** Larger files are not checked as a whole when they are opened: at some 500 MB/s a start would take too long. */
const MAX_CHECKED_BYTES = 128 * 1_048_576
/** Memory for pages. */
const CACHE_KIB = 65_536
/** The write-ahead log is cut back to this after a burst. */
const MAX_LOG_BYTES = 64 * 1_048_576
/** Free pages given back in one step: a few milliseconds. */
const RECLAIM_PAGES = 1_000

/**
 * Opens (and makes) a database for this process alone. A commit is on disk when it returns.
 *
 * @param path A file, or `:memory:`.
 * @throws {AvisoError} `ERR_CONFIG` where the file is in use, damaged, foreign or out of reach.
 */
export function openSqlite(path: string): SqlDatabase {
  try {
    return openFile(new DatabaseSync(path), path)
  } catch (error) {
    throw openError(error, path)
  }
}

function openFile(database: DatabaseSync, path: string): SqlDatabase {
  try {
    prepareFile(database, path)
  } catch (error) {
    database.close()
    throw error
  }
  return toSqlDatabase(database, path === ':memory:')
}

function prepareFile(database: DatabaseSync, path: string): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  const isNew = pragma(database, 'schema_version') === 0 && pragma(database, 'application_id') === 0
  if (!isNew && pragma(database, 'application_id') !== APPLICATION_ID) {
    throw new AvisoError('ERR_CONFIG', `${path} is a database of another program: choose another data folder`)
  }
  // Only an empty file takes this setting, and the lock below writes the first page.
  if (isNew) database.exec('PRAGMA auto_vacuum = INCREMENTAL')
  // This lock is kept until the file is closed, or the process ends in whatever way.
  database.exec('BEGIN EXCLUSIVE; COMMIT')
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  if (isNew) database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
  database.exec(`PRAGMA journal_size_limit = ${MAX_LOG_BYTES}`)
  if (isNew || fileBytes(database) > MAX_CHECKED_BYTES) return
  const [result] = database.prepare('PRAGMA quick_check(1)').all()
  if (result?.['quick_check'] !== 'ok') throw damaged(path)
}

function toSqlDatabase(database: DatabaseSync, inMemory: boolean): SqlDatabase {
  const statements = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql)
    if (statement === undefined) {
      statement = database.prepare(sql)
      statements.set(sql, statement)
    }
    return statement
  }
  let closed = false
  return {
    all: (sql, ...parameters) => prepare(sql).all(...parameters) as SqlRow[],
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
    sizeBytes: () => (inMemory ? 0 : fileBytes(database)),
    reclaim: () => {
      // Every step of this statement frees one page, and Deno's exec() takes but one.
      prepare(`PRAGMA incremental_vacuum(${RECLAIM_PAGES})`).all()
    },
    close: () => {
      if (closed) return
      closed = true
      statements.clear()
      database.close()
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

function openError(error: unknown, path: string): AvisoError {
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
  if (text.includes('not a database') || text.includes('malformed')) return damaged(path, error)
  if (text.includes('unable to open')) {
    return new AvisoError(
      'ERR_CONFIG',
      `${path} cannot be opened: check that its folder exists and may be written`,
      { cause: error },
    )
  }
  return new AvisoError(
    'ERR_CONFIG',
    `${path} cannot be used as a database: check its disk and its permissions`,
    { cause: error },
  )
}

function damaged(path: string, cause?: unknown): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    `${path} is damaged or no database: restore it from a backup or move it away`,
    { cause },
  )
}
