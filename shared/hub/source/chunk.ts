/**
 * Chunks: frames joined into one write, shared by the streams that need the same ones.
 *
 * @module
 */

import { joinBytes } from '#shared/bytes/bytes.ts'
import type { Revision } from '#shared/store/store.ts'
import { frameOf, type Encoding, type Entry } from './entry.ts'
import { CHUNK_BYTES } from './limits.ts'
import { nextMatch, type Matcher } from './matcher.ts'

/** Entries in order of revision, complete from some revision up to `through`. */
export interface EntrySource {
  /** Everything up to this revision has been seen. */
  readonly through: Revision
  at(position: number): Entry | undefined
  /** Position of the first entry at or after a revision. */
  find(revision: Revision): number
}

/** The place in the store's history that comes next. */
export interface Cursor {
  readonly next: Revision
  /** First place of that revision which is not done. */
  readonly index: number
}

/** What is read of a source. */
export interface Reading {
  readonly matcher: Matcher
  readonly encoding: Encoding
  /** Last revision to read; absent: all there is. */
  readonly last?: Revision | undefined
}

/** Joined frames, and the cursor behind them. */
export interface Chunk extends Cursor {
  /** Absent: nothing matched up to the cursor. */
  readonly bytes: Uint8Array | undefined
  /** Whether it ends because there is no room for the next frame, not because there is no more. */
  readonly isFull: boolean
}

/** Joins what comes next for a cursor, up to {@link CHUNK_BYTES}; a larger frame stands alone. */
export function readChunk(source: EntrySource, { next, index }: Cursor, reading: Reading): Chunk {
  const { matcher, encoding } = reading
  const last = reading.last === undefined || reading.last > source.through ? source.through : reading.last
  const frames = createFrames()
  let position = source.find(next)
  let entry = source.at(position)
  let from = entry?.revision === next ? index : 0
  while (entry !== undefined && entry.revision <= last) {
    for (
      let place = nextMatch(matcher, entry, from);
      place >= 0;
      place = nextMatch(matcher, entry, place + 1)
    ) {
      if (!frames.add(frameOf(entry, place, encoding))) {
        return { bytes: frames.join(), next: entry.revision, index: place, isFull: true }
      }
    }
    from = 0
    entry = source.at(++position)
  }
  return { bytes: frames.join(), next: last + 1n, index: 0, isFull: false }
}

/** Frames on their way into one write. */
export interface Frames {
  /** @returns False, and nothing is added, where the frame does not fit. */
  add(frame: Uint8Array): boolean
  /** All of them as one; `undefined` for none. */
  join(): Uint8Array | undefined
}

export function createFrames(): Frames {
  const frames: Uint8Array[] = []
  let bytes = 0
  return {
    add: (frame) => {
      if (frame.length === 0) return true
      if (bytes > 0 && bytes + frame.length > CHUNK_BYTES) return false
      frames.push(frame)
      bytes += frame.length
      return true
    },
    join: () => {
      // A frame that stands alone is shared as it is: the streams only read it.
      return frames.length < 2 ? frames[0] : joinBytes(frames, bytes)
    },
  }
}
