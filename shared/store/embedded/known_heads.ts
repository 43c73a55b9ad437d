/**
 * What guards ask of keys that they have asked before. Every publish guards the journal and the status document that the one before it wrote,
 * and reading them takes SQLite longer than to write them takes us.
 *
 * Nothing else writes the database while a store is open, so what was read or written last holds until the next write of the key.
 *
 * @module
 */

import { compareBytes } from '#shared/bytes/bytes.ts'
import type { Revision } from '../store.ts'

/** What guards and writes need of a key: all but its value. */
export interface KeyHead {
  readonly createRevision: Revision
  readonly modRevision: Revision
  readonly version: bigint
  readonly lease: bigint
}

/** The heads of keys that guards have asked for, some of them forgotten. */
export interface KnownHeads {
  get(key: Uint8Array): KeyHead | undefined
  /** Remembers what was read of a key. */
  note(key: Uint8Array, head: KeyHead): void
  /** Is told of each write. Keys that no guard has asked for are not remembered. */
  written(key: Uint8Array, head: KeyHead): void
  /** Forgets everything, because a transaction was undone. */
  clear(): void
}

/** Places, each for one key: many times the event types of a busy store. A power of two. */
const PLACES = 4_096
/** Bytes at the end of a key that choose its place: there event types and bases differ. */
const CHOOSING_BYTES = 8
/** Longer keys are not remembered, so that memory is bounded. */
const MAX_KEY_BYTES = 512

interface Known {
  readonly key: Uint8Array
  head: KeyHead
}

export function createKnownHeads(): KnownHeads {
  const places: (Known | undefined)[] = Array.from({ length: PLACES })
  const find = (key: Uint8Array): Known | undefined => {
    const known = places[placeOf(key)]
    return known !== undefined && compareBytes(known.key, key) === 0 ? known : undefined
  }
  return {
    get: (key) => find(key)?.head,
    note: (key, head) => {
      if (key.length > MAX_KEY_BYTES) return
      const known = find(key)
      if (known !== undefined) known.head = headIn(head)
      // A copy: the caller may use its buffer again.
      else places[placeOf(key)] = { key: key.slice(), head: headIn(head) }
    },
    written: (key, head) => {
      const known = find(key)
      if (known !== undefined) known.head = headIn(head)
    },
    clear: () => void places.fill(undefined),
  }
}

/** The head alone: what it comes from may hold the memory of a whole transaction. */
function headIn({ createRevision, modRevision, version, lease }: KeyHead): KeyHead {
  return { createRevision, modRevision, version, lease }
}

function placeOf(key: Uint8Array): number {
  let hash = key.length
  for (let index = Math.max(0, key.length - CHOOSING_BYTES); index < key.length; index++)
    hash = Math.imul(hash, 31) + (key[index] ?? 0)
  return hash & (PLACES - 1)
}
