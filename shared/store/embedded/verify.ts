/**
 * Verifies every event of a store.
 *
 * @module
 */

import type { SqlView } from '#shared/runtime/runtime.ts'
import { COLUMNS, ID, numberIn, toKeyValue } from './rows.ts'
import type { Steps } from './steps.ts'

/** Events and bytes of one step: about a millisecond. */
const STEP_EVENTS = 200
const STEP_BYTES = 262_144

/**
 * Reads every event, in bounded steps.
 *
 * @param onProgress Told the share that is done, from 0 to 1.
 * @throws {AvisoError} `ERR_STORE_DAMAGED` for the first one that does not agree with its checksum.
 */
export function* verifyEvents(view: SqlView, onProgress: (share: number) => void): Steps<void> {
  const [bounds] = view.all('SELECT min(id) >> 20 AS first, max(id) >> 20 AS last FROM events')
  const first = numberIn(bounds, 'first')
  const revisions = Math.max(numberIn(bounds, 'last') - first, 1)
  let [revision, place] = [first, 0]
  let limit = 1
  for (;;) {
    const rows = view.all(
      `SELECT ${COLUMNS} FROM events e NOT INDEXED WHERE e.id >= ${ID} ORDER BY e.id LIMIT ?`,
      revision,
      place,
      limit,
    )
    let bytes = 1
    for (const row of rows) bytes += toKeyValue(row, view).value.length
    const last = rows.at(-1)
    if (last === undefined) return
    revision = numberIn(last, 'revision')
    place = numberIn(last, 'place') + 1
    onProgress((revision - first) / revisions)
    // As many as make a full step, going by the last one.
    limit = Math.max(1, Math.min(STEP_EVENTS, limit * 4, Math.floor((rows.length * STEP_BYTES) / bytes)))
    yield
  }
}
