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
  let next: number | undefined = 0
  while (next !== undefined) {
    await nextTurn()
    begin(state)
    const from: number = next
    next = writes.now(() => compactStep(database, from))
  }
  while (read(() => reclaim(database))) {
    await nextTurn()
    begin(state)
  }
}

/**
 * Deletes the superseded versions and old deletions among the next events. Ascending, so that a deletion outlives the
 * versions it hides whenever the work is cut short.
 *
 * @returns The revision to go on from; `undefined` at the end.
 */
function compactStep(database: SqlDatabase, from: number): number | undefined {
  const oldest = Number(oldestRevision(database))
  const [extent] = database.all(
    `SELECT max(revision) AS last FROM (
      SELECT revision FROM events WHERE revision BETWEEN ? AND ? ORDER BY revision LIMIT ${STEP_EVENTS}
    )`,
    from,
    oldest,
  )
  const last = extent?.['last']
  if (typeof last !== 'number') return undefined
  database.run(
    `DELETE FROM events WHERE id IN (
      SELECT e.id FROM events e INDEXED BY events_by_revision WHERE e.revision BETWEEN ? AND ? AND (
        (e.version = 0 AND e.revision < ?)
        OR EXISTS (SELECT 1 FROM events n WHERE n.key = e.key AND n.revision > e.revision AND n.revision <= ?)
      )
    )`,
    from,
    last,
    oldest,
    oldest,
  )
  return last + 1
}

/** Gives a bounded amount of room back. @returns Whether there may be more. */
function reclaim(database: SqlDatabase): boolean {
  const before = database.sizeBytes()
  database.reclaim()
  return database.sizeBytes() < before
}
