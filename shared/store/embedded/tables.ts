/**
 * The tables of the embedded store. Plain SQL only, so that a Durable Object's database serves as well as a file.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'

/** Counted up when the tables change. */
const SCHEMA_VERSION = 1

/**
 * `events` is the whole history: one row an event, in the order of writing (`id`); a deletion has version 0. `current`
 * points to the event that holds now, so that a read of now does not look at older versions. `meta` holds
 * the schema's version, the oldest readable revision and the last lease's number.
 */
const META = 'CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID'
const TABLES = [
  // The value comes last, so that the other columns are read without it.
  `CREATE TABLE events (
    id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, created INTEGER NOT NULL, version INTEGER NOT NULL,
    lease INTEGER NOT NULL, key BLOB NOT NULL, value BLOB
  )`,
  'CREATE INDEX events_by_revision ON events (revision)',
  'CREATE INDEX events_by_key ON events (key, revision, version)',
  'CREATE INDEX events_by_lease ON events (lease) WHERE lease <> 0',
  'CREATE TABLE current (key BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID',
  'CREATE TABLE leases (id INTEGER PRIMARY KEY, ends_at INTEGER NOT NULL)',
  'CREATE INDEX leases_by_end ON leases (ends_at)',
  `INSERT INTO meta (name, value) VALUES ('schema', ${SCHEMA_VERSION}), ('compacted', 0), ('lease', 0)`,
]

/**
 * Makes the tables in an empty database.
 *
 * @throws {AvisoError} `ERR_CONFIG` for tables of another version.
 */
export function makeTables(database: SqlDatabase): void {
  database.run(META)
  const [row] = database.all(`SELECT value FROM meta WHERE name = 'schema'`)
  if (row === undefined) {
    for (const statement of TABLES) database.run(statement)
  } else if (row['value'] !== SCHEMA_VERSION) {
    throw new AvisoError(
      'ERR_CONFIG',
      'The embedded store was written by another version of this program: use that one, or another data folder',
    )
  }
}
