/**
 * Fills an empty embedded store with the history of another store, exactly: revisions, generations and versions of keys stay.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import { makeCopiedTables, makeIndexes } from '../embedded/tables.ts'
import { append } from '../embedded/txn.ts'
import type { KeyValue, Revision, StoreEvent } from '../store.ts'

/** Revisions at and beyond this do not fit into the store's ids. */
const REVISION_LIMIT = 2n ** 43n
/** Events of one transaction: some 10 ms. */
const BATCH_EVENTS = 1_000

/** An import that is under way. */
export interface EmbeddedImport {
  /** Adds keys as they were at the oldest revision that is kept. */
  addState(kvs: readonly KeyValue[]): void
  /** Adds all writes of one revision, in their order. */
  addRevision(events: readonly StoreEvent[]): void
  /** Adds a lease. @returns Its id here, which events are added with. @param endsAt Milliseconds since 1970. */
  addLease(endsAt: number): bigint
  /** Ends it. @param base Oldest revision that is kept; 0n: all are. */
  finish(base: Revision): void
}

/** Begins an import into a database without tables. */
export function beginImport(database: SqlDatabase): EmbeddedImport {
  database.transaction(() => makeCopiedTables(database))
  /** Places taken in revisions of the state, whose keys come in the order of keys. */
  const taken = new Map<bigint, number>()
  let waiting: (readonly [event: StoreEvent, index: number])[] = []
  let leases = 0

  function flush(): void {
    const batch = waiting
    waiting = []
    if (batch.length > 0)
      database.transaction(() => {
        for (const [event, index] of batch) append(database, event, index)
      })
  }
  function add(event: StoreEvent, index: number): void {
    if (event.kv.modRevision >= REVISION_LIMIT)
      throw new AvisoError(
        'ERR_CONFIG',
        `Revision ${event.kv.modRevision} does not fit into an embedded store`,
      )
    waiting.push([event, index])
    if (waiting.length >= BATCH_EVENTS) flush()
  }
  return {
    addState: (kvs) => {
      for (const kv of kvs) {
        const index = taken.get(kv.modRevision) ?? 0
        taken.set(kv.modRevision, index + 1)
        add({ kind: 'put', kv }, index)
      }
    },
    addRevision: (events) => {
      taken.clear()
      for (const [index, event] of events.entries()) add(event, index)
    },
    addLease: (endsAt) => {
      leases++
      database.run('INSERT INTO leases (id, ends_at) VALUES (?, ?)', leases, Math.ceil(endsAt))
      return BigInt(leases)
    },
    finish: (base) => {
      flush()
      database.transaction(() => {
        for (const name of ['compacted', 'swept'])
          database.run('UPDATE meta SET value = ? WHERE name = ?', Number(base), name)
        database.run(`UPDATE meta SET value = ? WHERE name = 'lease'`, leases)
        makeIndexes(database)
      })
    },
  }
}
