/**
 * A sorted collection of entries by key, in chunks, so that an insertion moves a few hundred references at most.
 *
 * @module
 */

import { compareBytes, isEndOfKeys } from '#shared/bytes/bytes.ts'
import { firstIndex } from '#shared/search.ts'
import type { KeyRange } from '../store.ts'

/** A chunk is split when it grows past this. */
const CHUNK_ENTRIES = 512

/** Anything that has a key. */
export interface Keyed {
  readonly key: Uint8Array
}

/** Entries in byte order of their keys; one entry a key. */
export interface KeyIndex<Entry extends Keyed> {
  get(key: Uint8Array): Entry | undefined
  /** Adds an entry whose key is not there yet. */
  insert(entry: Entry): void
  delete(key: Uint8Array): void
  /** Calls `visit` for the entries of a range, ascending, until it returns false. It must not change the index. */
  visit(range: KeyRange, visit: (entry: Entry) => boolean): void
}

export function createKeyIndex<Entry extends Keyed>(): KeyIndex<Entry> {
  /** Never empty chunks, except the only one. */
  const chunks: Entry[][] = [[]]

  /** Number of the last chunk that begins at or before the key; the first chunk for a key before all. */
  function chunkOf(key: Uint8Array): number {
    return Math.max(0, firstIndex(chunks, (chunk) => compareBytes(chunk[0]?.key ?? key, key) > 0) - 1)
  }
  /** Index of the first entry of a chunk at or after the key. */
  function positionIn(chunk: readonly Entry[], key: Uint8Array): number {
    return firstIndex(chunk, (entry) => compareBytes(entry.key, key) >= 0)
  }
  function get(key: Uint8Array): Entry | undefined {
    const chunk = chunks[chunkOf(key)] ?? []
    const entry = chunk[positionIn(chunk, key)]
    return entry !== undefined && compareBytes(entry.key, key) === 0 ? entry : undefined
  }
  // A callback and not a generator, which takes several times as long for each entry.
  function visitRange({ key, end }: KeyRange, visit: (entry: Entry) => boolean): void {
    if (end === undefined) {
      const entry = get(key)
      if (entry !== undefined) visit(entry)
      return
    }
    const first = chunkOf(key)
    for (let number = first; number < chunks.length; number++) {
      const chunk = chunks[number] ?? []
      const isWithin = isEndOfKeys(end) || compareBytes(chunk.at(-1)?.key ?? end, end) < 0
      for (let index = number === first ? positionIn(chunk, key) : 0; index < chunk.length; index++) {
        const entry = chunk[index]
        if (entry === undefined || (!isWithin && compareBytes(entry.key, end) >= 0)) return
        if (!visit(entry)) return
      }
    }
  }
  return {
    get,
    visit: visitRange,
    insert: (entry) => {
      const number = chunkOf(entry.key)
      const chunk = chunks[number] ?? []
      chunk.splice(positionIn(chunk, entry.key), 0, entry)
      if (chunk.length > CHUNK_ENTRIES) chunks.splice(number + 1, 0, chunk.splice(CHUNK_ENTRIES / 2))
    },
    delete: (key) => {
      const number = chunkOf(key)
      const chunk = chunks[number] ?? []
      const position = positionIn(chunk, key)
      const entry = chunk[position]
      if (entry === undefined || compareBytes(entry.key, key) !== 0) return
      chunk.splice(position, 1)
      if (chunk.length === 0 && chunks.length > 1) chunks.splice(number, 1)
    },
  }
}
