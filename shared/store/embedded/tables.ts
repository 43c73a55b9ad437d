/**
 * The tables of the embedded store. Plain SQL only, so that a Durable Object's database serves as well as a file.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'

/** Counted up when the tables change. */
export const SCHEMA_VERSION = 2

/**
 * `events` is the whole history: one row an event. `rows.ts` says what its `id` is, and `checksum.ts` its `sum`; a deletion has version 0.
 * One index serves reads of now and of the past, because the rows of a key end with the newest one. `meta` holds the schema's version, the
 * oldest readable revision, where the next compaction begins (`swept`), the last lease's number, and whether the store has a witness.
 */
export const EVENTS = `CREATE TABLE events (
    id INTEGER PRIMARY KEY, created INTEGER NOT NULL, version INTEGER NOT NULL, lease INTEGER NOT NULL,
    sum INTEGER NOT NULL, key BLOB NOT NULL, value BLOB
  )`
/** Each entry ends with the row's id. */
export const INDEXES = [
  'CREATE INDEX events_by_key ON events (key)',
  'CREATE INDEX events_by_lease ON events (lease) WHERE lease <> 0',
]
const META = 'CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID'
const DATA = [
  // The value comes last, so that the other columns are read without it.
  EVENTS,
  'CREATE TABLE leases (id INTEGER PRIMARY KEY, ends_at INTEGER NOT NULL)',
  'CREATE INDEX leases_by_end ON leases (ends_at)',
  `INSERT INTO meta (name, value) VALUES ('schema', ${SCHEMA_VERSION}), ('compacted', 0), ('swept', 0), ('lease', 0), ('witnessed', 0)`,
]
const TABLES = [...DATA, ...INDEXES]

/** Makes the tables in an empty database. @returns Version of the tables that are there. */
export function makeTables(database: SqlDatabase): number {
  database.run(META)
  const version = schemaVersion(database)
  if (version !== undefined) return version
  for (const statement of TABLES) database.run(statement)
  return SCHEMA_VERSION
}

/** Makes the tables of a copy, without the indexes of its events. */
export function makeCopiedTables(copy: Pick<SqlDatabase, 'run'>): void {
  for (const statement of [META, ...DATA]) copy.run(statement)
}

/** Makes the indexes that a copy lacks. */
export function makeIndexes(database: SqlDatabase): void {
  for (const statement of INDEXES)
    database.run(statement.replace('CREATE INDEX', 'CREATE INDEX IF NOT EXISTS'))
}

/** Version of the tables; `undefined` where there are none. */
export function schemaVersion(view: Pick<SqlDatabase, 'all'>): number | undefined {
  const [row] = view.all(`SELECT value FROM meta WHERE name = 'schema'`)
  return row === undefined ? undefined : Number(row['value'])
}

/** The refusal of tables that this program does not know. */
export function unknownVersion(): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    'The embedded store was written by another version of this program: use that one, or another data folder',
  )
}
