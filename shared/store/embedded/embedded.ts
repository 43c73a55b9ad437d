/**
 * The embedded store: etcd's semantics in SQLite, for one machine. Acknowledged means committed and synced to disk.
 *
 * Plain SQL only, so that a Durable Object's database serves as well as a file.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import type { Clock } from '#shared/time/clock.ts'
import { silentLogger, type Logger } from '#shared/logger.ts'
import { createEmbeddedBackend } from './sql_backend.ts'
import { createMvccStore } from './store.ts'
import type { Store } from '../store.ts'

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

/** What the store is opened with, besides its database. */
export interface EmbeddedStoreParts {
  readonly clock: Clock
  readonly logger?: Logger
}

/**
 * Opens (and makes) the store in a database, which it owns from now on.
 *
 * @throws {AvisoError} `ERR_CONFIG` for tables of another version, or a database that cannot be read and written.
 */
export async function openEmbeddedStore(database: SqlDatabase, parts: EmbeddedStoreParts): Promise<Store> {
  try {
    database.transaction(() => makeTables(database))
    return createMvccStore(createEmbeddedBackend(database), {
      clock: parts.clock,
      logger: parts.logger ?? silentLogger,
    })
  } catch (cause) {
    database.close()
    if (isAvisoError(cause)) throw cause
    throw new AvisoError('ERR_CONFIG', 'The embedded store cannot be read or written: look at its disk', {
      cause,
    })
  }
}

function makeTables(database: SqlDatabase): void {
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
