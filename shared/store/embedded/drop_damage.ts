/**
 * Gives up what is damaged, where the operator accepts the loss, so that the rest can be used again.
 *
 * A key gets back the value that it had before its damaged one. History ends behind the last damage, as if it had been compacted up to
 * there: whoever asks for more is told that it is gone. So no replay passes a hole in silence, and an ingest takes no id of before for known.
 *
 * @module
 */

import { NO_BYTES } from '#shared/bytes/bytes.ts'
import type { Logger } from '#shared/logger.ts'
import type { SqlDatabase, SqlRow } from '#shared/runtime/runtime.ts'
import type { Revision } from '../store.ts'
import { checksumOf } from './checksum.ts'
import { newestRevision, oldestRevision } from './revisions.ts'
import { bytesIn, copyRow, ID, numberIn } from './rows.ts'
import { doNow } from './steps.ts'
import { verifyEvents } from './verify.ts'

/** Damaged events that the log names. */
export const MAX_NAMED = 100

/** An event that does not agree with its checksum. */
interface Damaged {
  readonly revision: number
  readonly place: number
  readonly key: Uint8Array
}

/**
 * Verifies every event (some 3 s for 1,000,000), and gives up those that are damaged.
 *
 * @returns Their number. The caller renews the epoch where there are any, in the same transaction.
 */
export function dropDamage(database: SqlDatabase, logger: Logger): number {
  const damaged = findDamaged(database, logger)
  if (damaged.length === 0) return 0
  // A damaged key is still in the index under its old name.
  for (const index of ['events_by_key', 'events_by_lease']) database.run(`REINDEX ${index}`)
  for (const event of damaged) drop(database, event)
  const last = damaged.reduce((latest, { revision }) => Math.max(latest, revision), 0)
  const readable = BigInt(last) + 1n
  if (readable > oldestRevision(database))
    database.run(`UPDATE meta SET value = ? WHERE name = 'compacted'`, Number(readable))
  return damaged.length
}

function findDamaged(database: SqlDatabase, logger: Logger): readonly Damaged[] {
  const damaged: Damaged[] = []
  const last: Revision = newestRevision(database)
  const onDamage = (row: SqlRow, { message }: Error): void => {
    damaged.push({
      revision: numberIn(row, 'revision'),
      place: numberIn(row, 'place'),
      key: bytesIn(row, 'key'),
    })
    if (damaged.length <= MAX_NAMED) logger('warn', 'A damaged value is given up', { reason: message })
  }
  doNow(
    verifyEvents(database, { last, sizeBytes: database.sizeBytes(), onDamage, onProgress: () => undefined }),
  )
  return damaged
}

/** Removes an event. A deletion stays one, because what it deleted must not come back. */
function drop(database: SqlDatabase, event: Damaged): void {
  database.run(`DELETE FROM events WHERE id = ${ID}`, event.revision, event.place)
  if (event.place % 2 === 1) putDeletion(database, event)
}

/** Writes a deletion in place of one that is damaged. */
export function putDeletion(database: SqlDatabase, { revision, place, key }: Damaged): void {
  const deletion = {
    key,
    value: NO_BYTES,
    createRevision: 0n,
    modRevision: BigInt(revision),
    version: 0n,
    lease: 0n,
  }
  const sum = checksumOf(database, deletion, place)
  copyRow(database, { revision, place, created: 0, version: 0, lease: 0, sum, key, value: NO_BYTES })
}
