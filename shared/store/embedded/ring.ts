/**
 * Recent revisions in memory, so that a watch rarely needs the disk for what was just written.
 *
 * The newest ones are kept as they were committed, because watches take them at once. The others are packed: an event is six numbers then, and its
 * bytes in the memory that its transaction shares. As objects they took several times as much, and much of the time of collecting garbage.
 *
 * @module
 */

import type { KeyValue, Revision, StoreEvent } from '../store.ts'
import type { RevisionEvents } from './revisions.ts'

/** Some seconds of heavy writing. */
const RING_REVISIONS = 4_096
/** Memory, whatever the number of watches. */
const RING_BYTES = 6 * 1_048_576
/** Newest revisions that are not packed: more than one commit makes while many event types are published to. */
const UNPACKED_REVISIONS = 8
/** Numbers of a packed event. */
const NUMBERS = 6
/** What an event takes beside its key and its value when it is packed, and a revision beside its events. */
const EVENT_OVERHEAD_BYTES = 8 * NUMBERS
const REVISION_OVERHEAD_BYTES = 400

/** Recent revisions without a gap, bounded in number and memory. */
export interface Ring {
  /** Adds a revision. One that is not the next forgets all before it. */
  push(entry: RevisionEvents): void
  /** @returns `undefined` for a revision that is not held. */
  get(revision: Revision): RevisionEvents | undefined
  clear(): void
}

/** Puts whose bytes lie in one buffer. */
interface Packed {
  readonly revision: Revision
  readonly buffer: ArrayBufferLike
  /** Of each event: where its key begins, the lengths of its key and of the value behind it, the revision that created it, version, lease. */
  readonly numbers: readonly number[]
}

export function createRing(): Ring {
  /** In the order of their revisions, from `first` on. */
  const entries: { packed: Packed | RevisionEvents; readonly bytes: number }[] = []
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
    bytes -= dropped.bytes
  }
  return {
    push: (entry) => {
      if (entry.revision !== first + BigInt(entries.length)) clear()
      if (entries.length === 0) first = entry.revision
      const taken = entries.at(-UNPACKED_REVISIONS)
      if (taken !== undefined && 'events' in taken.packed) taken.packed = pack(taken.packed)
      const size = sizeOf(entry.events)
      entries.push({ packed: entry, bytes: size })
      bytes += size
      while (entries.length > RING_REVISIONS || bytes > RING_BYTES) dropFirst()
    },
    get: (revision) => {
      const packed = revision < first ? undefined : entries[Number(revision - first)]?.packed
      return packed === undefined || 'events' in packed ? packed : unpack(packed)
    },
    clear,
  }
}

function sizeOf(events: readonly StoreEvent[]): number {
  let bytes = REVISION_OVERHEAD_BYTES
  for (const { kv } of events) bytes += EVENT_OVERHEAD_BYTES + kv.key.length + kv.value.length
  return bytes
}

/** Packs a revision, unless it deletes something: that is rare, and its keys have memory of their own. */
function pack(entry: RevisionEvents): Packed | RevisionEvents {
  const { revision, events } = entry
  const buffer = events[0]?.kv.key.buffer
  if (buffer === undefined) return entry
  const numbers: number[] = []
  for (const { kind, kv } of events) {
    const { key, value, createRevision, version, lease } = kv
    const isBehind = value.buffer === buffer && value.byteOffset === key.byteOffset + key.length
    if (kind !== 'put' || key.buffer !== buffer || !isBehind) return entry
    numbers.push(key.byteOffset, key.length, value.length)
    // All of them are below 2^53, as their columns in the database.
    numbers.push(Number(createRevision), Number(version), Number(lease))
  }
  return { revision, buffer, numbers }
}

function unpack({ revision, buffer, numbers }: Packed): RevisionEvents {
  const events: StoreEvent[] = []
  for (let at = 0; at < numbers.length; at += NUMBERS)
    events.push({ kind: 'put', kv: unpackOne(revision, buffer, numbers.slice(at, at + NUMBERS)) })
  return { revision, events }
}

function unpackOne(revision: Revision, buffer: ArrayBufferLike, numbers: readonly number[]): KeyValue {
  const [start = 0, keyLength = 0, valueLength = 0, created = 0, version = 0, lease = 0] = numbers
  return {
    key: new Uint8Array(buffer, start, keyLength),
    value: new Uint8Array(buffer, start + keyLength, valueLength),
    createRevision: BigInt(created),
    modRevision: revision,
    version: BigInt(version),
    lease: BigInt(lease),
  }
}
