/**
 * Which revisions there are: the newest and the oldest that can be read, and the refusals of all others.
 *
 * @module
 */

import { AvisoError, HistoryCompacted } from '#shared/errors.ts'
import type { SqlView } from '#shared/runtime/runtime.ts'
import type { Revision, StoreEvent } from '../store.ts'
import { numberIn } from './rows.ts'

/** etcd's revision of an empty store: the first write is revision 2. */
const FIRST_REVISION = 1n

/**
 * Revisions that are left out after a loss, so that none of the lost ones is given out again. More than were lost behind the witness, which
 * may be behind; as many as etcd's guide leaves out after a restore.
 */
export const LEFT_OUT_REVISIONS = 2n ** 30n

/** All writes of one revision, in the order they were written. */
export interface RevisionEvents {
  readonly revision: Revision
  readonly events: readonly StoreEvent[]
}

/** Revision of the last write that is stored, 1 in an empty store. */
export function newestRevision(database: SqlView): Revision {
  // The newest event survives every compaction.
  const [row] = database.all('SELECT id >> 20 AS revision FROM events ORDER BY id DESC LIMIT 1')
  return row === undefined ? FIRST_REVISION : BigInt(numberIn(row, 'revision'))
}

/** Oldest readable revision, 0n while nothing was compacted. */
export function oldestRevision(database: SqlView): Revision {
  const [row] = database.all(`SELECT value FROM meta WHERE name = 'compacted'`)
  return BigInt(numberIn(row, 'value'))
}

/**
 * @param current The store's revision, or that of the transaction around the read.
 * @throws {AvisoError} `ERR_FUTURE_POSITION`, `ERR_HISTORY_COMPACTED`.
 */
export function checkReadable(database: SqlView, revision: Revision, current: Revision): void {
  if (revision > current) throw futureError(revision, current)
  const oldest = oldestRevision(database)
  if (revision < oldest) throw compactedError(oldest)
}

/** The refusal of a revision that is gone. */
export function compactedError(oldest: Revision): HistoryCompacted {
  return new HistoryCompacted(`This history is gone: the oldest revision that is kept is ${oldest}`, oldest)
}

/** The refusal of a revision that is still to come. */
export function futureError(revision: Revision, current: Revision): AvisoError {
  return new AvisoError(
    'ERR_FUTURE_POSITION',
    `Revision ${revision} does not exist yet: the store is at ${current}`,
  )
}
