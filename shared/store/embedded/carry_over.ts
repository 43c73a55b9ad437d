/**
 * Carries a store of version 1 over: its rows into the tables of today, a bounded number in one transaction, so that it goes on where it was
 * cut short.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { SqlDatabase, SqlRow } from '#shared/runtime/runtime.ts'
import type { KeyValue } from '../store.ts'
import { bytesIn, MAX_REVISION_EVENTS, numberIn } from './rows.ts'
import { EVENTS, INDEXES, makeTables, SCHEMA_VERSION, unknownVersion } from './tables.ts'
import { append } from './txn.ts'

/** Rows of one transaction: some 100 ms. */
const STEP_ROWS = 10_000
/** Rows between two lines of the log: some seconds. */
const LOG_ROWS = 500_000

/** The first version's events, while they are carried over. A deletion had version 0, and rows had the order of writing. */
const OLD = 'events_of_version_1'

/**
 * Makes the tables, or brings them to this version.
 *
 * @throws {AvisoError} `ERR_CONFIG` for tables of an unknown version.
 */
export function upgrade(database: SqlDatabase, logger: Logger): void {
  const version = database.transaction(() => makeTables(database))
  if (isOld(version)) {
    backUp(database, version, logger)
    beginCarrying(database)
  } else if (version !== SCHEMA_VERSION) throw unknownVersion()
  if (isCarrying(database)) carryOver(database, logger)
}

/** Keeps the store as it is, so that the program that wrote it can go on with it. @throws {AvisoError} `ERR_CONFIG` without room. */
function backUp({ keepCopy }: SqlDatabase, version: number, logger: Logger): void {
  try {
    const backup = keepCopy?.(`version-${version}`)
    if (backup !== undefined)
      logger('info', 'The store is of an older version: it is backed up, and carried over', { backup })
  } catch (cause) {
    throw new AvisoError(
      'ERR_CONFIG',
      'The embedded store is of an older version, and there is no room to back it up before it is carried over: make as much room in the data folder as the store takes',
      { cause },
    )
  }
}

/** Whether a store is of version 1. */
export function isOld(version: number | undefined): boolean {
  return version === 1
}

/** Whether the carrying over of a store was begun and not ended. */
export function isCarrying(view: Pick<SqlDatabase, 'all'>): boolean {
  return view.all(`SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?`, OLD).length > 0
}

/** The newest revision that is still to be carried over, 0 for none. */
export function newestOld(view: Pick<SqlDatabase, 'all'>): number {
  const [row] = view.all(`SELECT revision FROM ${OLD} ORDER BY id DESC LIMIT 1`)
  return numberIn(row, 'revision')
}

/**
 * Begins to carry a store of version 1 over.
 *
 * @throws {AvisoError} `ERR_CONFIG` where it cannot be, and then nothing is changed.
 */
function beginCarrying(database: SqlDatabase): void {
  const [large] = database.all(
    `SELECT revision FROM events GROUP BY revision HAVING count(*) > ${MAX_REVISION_EVENTS} LIMIT 1`,
  )
  if (large !== undefined)
    throw new AvisoError(
      'ERR_CONFIG',
      `Revision ${numberIn(large, 'revision')} of the embedded store has more than ${MAX_REVISION_EVENTS} events, which this version cannot hold: let the old version compact it away`,
    )
  database.transaction(() => {
    for (const name of ['events_by_revision', 'events_by_key', 'events_by_lease'])
      database.run(`DROP INDEX ${name}`)
    database.run('DROP TABLE current')
    database.run(`ALTER TABLE events RENAME TO ${OLD}`)
    database.run(EVENTS)
    for (const statement of INDEXES) database.run(statement)
    database.run(`INSERT INTO meta (name, value) VALUES ('swept', 0), ('witnessed', 0)`)
    database.run(`UPDATE meta SET value = ${SCHEMA_VERSION} WHERE name = 'schema'`)
  })
}

/** Carries over what is left. */
function carryOver(database: SqlDatabase, logger: Logger): void {
  logger(
    'info',
    'The store is carried over to the tables of this version; this takes about 10 s for 1,000,000 events',
  )
  let place = lastPlace(database)
  let rows = 0
  for (;;) {
    const carried = database.transaction(() => {
      const some = database.all(`SELECT * FROM ${OLD} ORDER BY id LIMIT ${STEP_ROWS}`)
      for (const row of some) place = carry(database, row, place)
      database.run(`DELETE FROM ${OLD} WHERE id <= ?`, numberIn(some.at(-1), 'id'))
      if (some.length === 0) database.run(`DROP TABLE ${OLD}`)
      return some.length
    })
    if (carried === 0) break
    rows += carried
    if (rows % LOG_ROWS < STEP_ROWS) logger('info', 'The store is being carried over', { events: rows })
  }
  logger('info', 'The store was carried over', { events: rows })
}

interface LastPlace {
  readonly revision: number
  /** Events of it that are carried over. */
  readonly events: number
}

function lastPlace(database: SqlDatabase): LastPlace {
  const [row] = database.all(
    'SELECT id >> 20 AS revision, id & 1048575 AS place FROM events ORDER BY id DESC LIMIT 1',
  )
  return row === undefined
    ? { revision: 0, events: 0 }
    : { revision: numberIn(row, 'revision'), events: Math.floor(numberIn(row, 'place') / 2) + 1 }
}

function carry(database: SqlDatabase, row: SqlRow, last: LastPlace): LastPlace {
  const revision = numberIn(row, 'revision')
  const index = revision === last.revision ? last.events : 0
  const kv: KeyValue = {
    key: bytesIn(row, 'key'),
    value: bytesIn(row, 'value'),
    createRevision: BigInt(numberIn(row, 'created')),
    modRevision: BigInt(revision),
    version: BigInt(numberIn(row, 'version')),
    lease: BigInt(numberIn(row, 'lease')),
  }
  append(database, { kind: kv.version === 0n ? 'delete' : 'put', kv }, index)
  return { revision, events: index + 1 }
}
