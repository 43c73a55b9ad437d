/**
 * Recent revisions in memory, so that a watch rarely needs the disk for what was just written.
 *
 * @module
 */

import type { Revision, StoreEvent } from '../store.ts'
import type { RevisionEvents } from './revisions.ts'

/** Some seconds of heavy writing. */
const RING_REVISIONS = 4_096
/** Memory, whatever the number of watches. */
const RING_BYTES = 16 * 1_048_576
/** Objects, numbers and buffers of an event beside its key and its value, measured at 0.6 kB in V8. */
const EVENT_OVERHEAD_BYTES = 600

/** Recent revisions without a gap, bounded in number and memory. */
export interface Ring {
  /** Adds a revision. One that is not the next forgets all before it. */
  push(entry: RevisionEvents): void
  /** @returns `undefined` for a revision that is not held. */
  get(revision: Revision): RevisionEvents | undefined
  clear(): void
}

export function createRing(): Ring {
  /** In the order of their revisions, from `first` on. */
  const entries: RevisionEvents[] = []
  let first: Revision = 0n
  let bytes = 0

  function clear(): void {
    entries.length = 0
    bytes = 0
  }
  function dropFirst(): void {
    const dropped = entries.shift()
    if (dropped === undefined) return
    first++
    bytes -= sizeOf(dropped.events)
  }
  return {
    push: (entry) => {
      if (entry.revision !== first + BigInt(entries.length)) clear()
      if (entries.length === 0) first = entry.revision
      entries.push(entry)
      bytes += sizeOf(entry.events)
      while (entries.length > RING_REVISIONS || bytes > RING_BYTES) dropFirst()
    },
    get: (revision) => (revision < first ? undefined : entries[Number(revision - first)]),
    clear,
  }
}

function sizeOf(events: readonly StoreEvent[]): number {
  let bytes = 0
  for (const { kv } of events) bytes += EVENT_OVERHEAD_BYTES + kv.key.length + kv.value.length
  return bytes
}
