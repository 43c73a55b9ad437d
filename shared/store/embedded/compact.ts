/**
 * Compaction: history before a revision is forgotten at once, and its room is given back in steps that let writers in between.
 *
 * @module
 */

import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import { nextTurn } from '#shared/time/turn.ts'
import type { CallOptions, Revision } from '../store.ts'
import type { GroupCommit } from './group_commit.ts'
import { compactedError, futureError, oldestRevision } from './revisions.ts'
import { FIRST_ID, numberIn } from './rows.ts'
import { begin, read, type StoreState } from './state.ts'

/** Events that one step looks at: some milliseconds. */
const STEP_EVENTS = 1_000

/** The compactions of a store: one at a time, in the order of the calls. */
export function createCompactor(
  state: StoreState,
  writes: GroupCommit,
): (target: Revision, options?: CallOptions) => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  return (target, options) => {
    const run = (): Promise<void> => {
      begin(state, options)
      return compact(target, state, writes)
    }
    last = last.then(run, run)
    return last
  }
}

async function compact(target: Revision, state: StoreState, writes: GroupCommit): Promise<void> {
  const { database } = state
  await writes.add((current) => {
    if (target > current) throw futureError(target, current)
    const oldest = oldestRevision(database)
    if (target <= oldest) throw compactedError(oldest)
    database.run(`UPDATE meta SET value = ? WHERE name = 'compacted'`, Number(target))
    return { value: undefined, events: [] }
  }, 0)
  // Reads under way that began before it keep what they still have to read.
  await state.pins.waitFor(target)
  do {
    await nextTurn()
    begin(state)
  } while (writes.now(() => sweepStep(database)))
  while (read(state, () => reclaim(database))) {
    await nextTurn()
    begin(state)
  }
}

/**
 * Deletes, for each of the next events, the version it superseded, and old deletions. Everything up to the place where the last step ended
 * was swept before, so a key has one version there at most; a deletion outlives the version it hides whenever the work is cut short.
 *
 * @returns Whether there is more.
 */
function sweepStep(database: SqlDatabase): boolean {
  const oldest = Number(oldestRevision(database))
  const [next] = database.all(`SELECT value FROM meta WHERE name = 'swept'`)
  const from = numberIn(next, 'value')
  const last = endOfStep(database, from, oldest)
  database.run(
    `DELETE FROM events WHERE id IN (
      SELECT (SELECT max(o.id) FROM events o INDEXED BY events_by_key WHERE o.key = e.key AND o.id < e.id)
        FROM events e NOT INDEXED WHERE e.id >= ${FIRST_ID} AND e.id < ${FIRST_ID}
      UNION ALL
      SELECT e.id FROM events e NOT INDEXED WHERE e.id >= ${FIRST_ID} AND e.id < ${FIRST_ID} AND (e.id & 1) = 1 AND e.id < ${FIRST_ID}
    )`,
    from,
    last + 1,
    from,
    last + 1,
    oldest,
  )
  const isDone = last >= oldest
  // The oldest revision itself keeps its deletions: they go the next time.
  database.run(`UPDATE meta SET value = ? WHERE name = 'swept'`, isDone ? oldest : last + 1)
  return !isDone
}

/** Last revision of a step that begins with `from`: a bounded number of events, in whole revisions. */
function endOfStep(database: SqlDatabase, from: number, oldest: number): number {
  const [row] = database.all(
    `SELECT id >> 20 AS revision FROM events NOT INDEXED WHERE id >= ${FIRST_ID} AND id < ${FIRST_ID} ORDER BY id LIMIT 1 OFFSET ${STEP_EVENTS}`,
    from,
    oldest + 1,
  )
  return row === undefined ? oldest : Math.max(numberIn(row, 'revision') - 1, from)
}

/** Gives a bounded amount of room back. @returns Whether there may be more. */
function reclaim(database: SqlDatabase): boolean {
  const before = database.sizeBytes()
  database.reclaim()
  return database.sizeBytes() < before
}
