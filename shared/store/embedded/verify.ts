/**
 * Reads and verifies every event of a store.
 *
 * @module
 */

import { KeyDamaged } from '#shared/errors.ts'
import type { SqlRow, SqlView } from '#shared/runtime/runtime.ts'
import type { Revision } from '../store.ts'
import { bytesIn, COLUMNS, FIRST_ID, ID, numberIn, toKeyValue } from './rows.ts'
import type { Steps } from './steps.ts'

/** Events and bytes of one step: about a millisecond. */
const STEP_EVENTS = 50
const STEP_BYTES = 131_072

/** What an event takes in the file besides key and value. */
const ROW_BYTES = 48
/** Share until it is done: the size of the file is an estimate of the work. */
const MOST_SHARE = 0.99

/** A walk through every event. */
export interface EventWalk {
  /** Last revision. */
  readonly last: Revision
  /** Bytes of the database, by which the share that is done is estimated. */
  readonly sizeBytes: number
  /** Takes a row of {@link COLUMNS} that agrees with its checksum. */
  readonly take?: (row: SqlRow) => void
  /** Takes a row that does not; absent: the walk ends there. */
  readonly onDamage?: (row: SqlRow, error: KeyDamaged) => void
  /** Told the share that is done, from 0 to 1. */
  readonly onProgress: (share: number) => void
}

/**
 * Reads every event up to a revision, in the order of time.
 *
 * @throws {AvisoError} `ERR_STORE_DAMAGED` for the first one that does not agree with its checksum, unless the walk takes it.
 */
export function* verifyEvents(view: SqlView, walk: EventWalk): Steps<void> {
  const { last, sizeBytes, onProgress } = walk
  let [revision, place] = [0, 0]
  let done = 0
  let limit = 1
  for (;;) {
    const rows = view.all(
      `SELECT ${COLUMNS} FROM events e NOT INDEXED WHERE e.id >= ${ID} AND e.id < ${FIRST_ID} ORDER BY e.id LIMIT ?`,
      revision,
      place,
      Number(last) + 1,
      limit,
    )
    let bytes = 1
    for (const row of rows) {
      verifyRow(row, view, walk)
      const valueBytes = bytesIn(row, 'value').length
      bytes += valueBytes
      // The index holds the key once more.
      done += 2 * bytesIn(row, 'key').length + valueBytes + ROW_BYTES
    }
    const end = rows.at(-1)
    if (end === undefined) {
      onProgress(1)
      return
    }
    revision = numberIn(end, 'revision')
    place = numberIn(end, 'place') + 1
    onProgress(Math.min(done / Math.max(sizeBytes, 1), MOST_SHARE))
    // As many as make a full step, going by the last one.
    limit = Math.max(1, Math.min(STEP_EVENTS, limit * 4, Math.floor((rows.length * STEP_BYTES) / bytes)))
    yield
  }
}

function verifyRow(row: SqlRow, view: SqlView, { take, onDamage }: EventWalk): void {
  try {
    toKeyValue(row, view)
  } catch (error) {
    if (onDamage === undefined || !(error instanceof KeyDamaged)) throw error
    return onDamage(row, error)
  }
  take?.(row)
}
