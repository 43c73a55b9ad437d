/**
 * Copies of a store that is in use: its events, at one revision, into a file of their own.
 *
 * They are copied event by event, in steps of about a millisecond. SQLite's own copying holds up the event loop until it is done on Deno and
 * Bun (measured: 0.5 s for 240 MB). The copy has no index, so it is smaller; `restore.ts` makes it.
 *
 * @module
 */

import type { DatabaseCopy, SqlDatabase, SqlRow } from '#shared/runtime/runtime.ts'
import type { StoreBackup } from '../maintenance.ts'
import type { CallOptions, Revision } from '../store.ts'
import { copyDamage } from './describe_damage.ts'
import { oldestRevision } from './revisions.ts'
import { copyRow, numberIn } from './rows.ts'
import { begin, copyError, logDamage, PageDamaged, read, type StoreState } from './state.ts'
import { doInTurns, type Steps } from './steps.ts'
import { makeCopiedTables } from './tables.ts'
import { verifyEvents } from './verify.ts'

/** Wait between two steps, so that publishing has most of the time: 1,000,000 events take about half a minute. */
const PAUSE_MS = 1
/**
 * After so many steps (about 1 MiB) the copy is put on the disk. The system would gather hundreds of megabytes and write them at once, and
 * a commit that waits for the same disk then takes 50 ms.
 */
const FLUSH_STEPS = 8

/** The copies of a store, each whole before its first byte is handed out. */
export function createSnapshots(
  state: StoreState,
  newCopy: NonNullable<SqlDatabase['newCopy']>,
): StoreBackup['snapshot'] {
  return async (options = {}) => {
    const { onProgress = () => undefined } = options
    begin(state, options)
    const revision = state.newest
    // What the copy is to hold is not compacted away meanwhile.
    const release = state.pins.hold(revision)
    const copy = newCopy()
    try {
      const run = <Value>(step: () => Value): Value => {
        begin(state, options)
        return read(state, step)
      }
      let steps = 0
      const pause = async (): Promise<void> => {
        if (++steps % FLUSH_STEPS === 0) await copy.flush()
        await state.clock.sleep(PAUSE_MS, options.signal)
      }
      await doInTurns(copyEvents(state.database, copy, { revision, onProgress }), run, pause)
      const sizeBytes = copy.finish()
      return { revision, sizeBytes, bytes: readOnce(copy), release: () => copy.remove() }
    } catch (error) {
      await copy.remove()
      throw await nameError(state, copyError(error), options)
    } finally {
      release()
    }
  }
}

/** Finds out what lies on a damaged page. */
async function nameError(state: StoreState, error: unknown, options: CallOptions): Promise<unknown> {
  if (!(error instanceof PageDamaged)) return error
  const named = await doInTurns(copyDamage(state.database, error.cause), (step) => {
    begin(state, options)
    return step()
  })
  logDamage(state.logger, named)
  return named
}

interface CopyParts {
  readonly revision: Revision
  readonly onProgress: (share: number) => void
}

function* copyEvents(from: SqlDatabase, to: DatabaseCopy, { revision, onProgress }: CopyParts): Steps<void> {
  makeCopiedTables(to)
  const take = (row: SqlRow): void => copyRow(to, row)
  yield* verifyEvents(from, { last: revision, sizeBytes: from.sizeBytes(), take, onProgress })
  for (const { id, ends_at: endsAt } of from.all('SELECT id, ends_at FROM leases'))
    to.run('INSERT INTO leases (id, ends_at) VALUES (?, ?)', id ?? null, endsAt ?? null)
  // A compaction that waits for this copy is not done yet.
  const oldest = oldestRevision(from)
  const set = (name: string, value: number): void =>
    to.run('UPDATE meta SET value = ? WHERE name = ?', value, name)
  set('compacted', Number(oldest < revision ? oldest : revision))
  const [lease] = from.all(`SELECT value FROM meta WHERE name = 'lease'`)
  set('lease', numberIn(lease, 'value'))
}

async function* readOnce(copy: DatabaseCopy): AsyncGenerator<Uint8Array> {
  try {
    yield* copy.bytes()
  } finally {
    await copy.remove()
  }
}
