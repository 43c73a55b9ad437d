/**
 * Chunks: frames joined into one write. Streams that need the same frames share a chunk.
 *
 * @module
 */

import { joinBytes } from '#shared/bytes/bytes.ts'
import { inSlabs } from '#shared/bytes/slab.ts'
import type { Revision } from '#shared/store/store.ts'
import { frameOf, type Encoding, type Entry } from './entry.ts'
import { CHUNK_BYTES, TURN_BYTES } from './limits.ts'
import { nextMatch, type Matcher } from './matcher.ts'

/** Entries in order of revision. They are complete from some revision up to `through`. */
export interface EntrySource {
  /** Everything up to this revision has been seen. */
  readonly through: Revision
  at(position: number): Entry | undefined
  /** Position of the first entry at or after a revision. */
  find(revision: Revision): number
}

/** The place in the store's history that a stream needs next. */
export interface Cursor {
  readonly next: Revision
  /** First place of that revision that is not done. */
  readonly index: number
}

/** What to read from a source. */
export interface Reading {
  readonly matcher: Matcher
  readonly encoding: Encoding
  /** Last revision to read; absent: everything in the source. */
  readonly last?: Revision | undefined
  /** Most frames; absent: as many as fit. */
  readonly most?: number
}

/** Joined frames, and the cursor after them. */
export interface Chunk extends Cursor {
  /** Absent: nothing matched up to the cursor. */
  readonly bytes: Uint8Array | undefined
  /** How many frames these are. */
  readonly frames: number
  /** Whether the chunk ends because the next frame does not fit, or is one too many. */
  readonly isFull: boolean
  /** Whether it ends because so much was looked at, perhaps decoded, in this turn. Otherwise it is full, or the source has no more. */
  readonly isCut: boolean
}

/** Room for a chunk and for the longest text of its last frame, so that a full chunk is one piece of memory, which nothing has to join. */
const FULL_SLAB_BYTES = CHUNK_BYTES + 4 * 1024
/** Whether the last chunk was full: then the next one most likely is. */
let wasFull = false

/** Joins the frames that come next for a cursor, up to {@link CHUNK_BYTES}. A larger frame is a chunk by itself. */
export function readChunk(source: EntrySource, cursor: Cursor, reading: Reading): Chunk {
  // The frames of neighbours are dropped at about the same time.
  const chunk = inSlabs(() => read(source, cursor, reading), wasFull ? FULL_SLAB_BYTES : undefined)
  wasFull = chunk.isFull
  return chunk
}

function read(source: EntrySource, { next, index }: Cursor, reading: Reading): Chunk {
  const { matcher, encoding, most = Infinity } = reading
  const last = reading.last === undefined || reading.last > source.through ? source.through : reading.last
  const frames = createFrames()
  let position = source.find(next)
  let entry = source.at(position)
  let from = entry?.revision === next ? index : 0
  let passed = 0
  while (entry !== undefined && entry.revision <= last) {
    for (
      let place = nextMatch(matcher, entry, from);
      place >= 0;
      place = nextMatch(matcher, entry, place + 1)
    ) {
      const frame = frameOf(entry, place, encoding)
      const isOneTooMany = frame.length > 0 && frames.count >= most
      if (isOneTooMany || !frames.add(frame)) {
        const { count } = frames
        const bytes = frames.join()
        return { bytes, frames: count, next: entry.revision, index: place, isFull: true, isCut: false }
      }
    }
    from = 0
    passed += entry.bytes
    const following = entry.revision + 1n
    if (passed >= TURN_BYTES && following <= last) {
      const { count } = frames
      return { bytes: frames.join(), frames: count, next: following, index: 0, isFull: false, isCut: true }
    }
    entry = source.at(++position)
  }
  const { count } = frames
  return { bytes: frames.join(), frames: count, next: last + 1n, index: 0, isFull: false, isCut: false }
}

/** A stretch of memory. */
interface Run {
  readonly first: Uint8Array
  /** Bytes from the beginning of `first`. */
  length: number
}

/** Collects frames for one write. */
export interface Frames {
  /** @returns `false` when the frame does not fit; it is then not added. */
  add(frame: Uint8Array): boolean
  /** How many were added, empty ones left out. */
  readonly count: number
  /** All frames as one; `undefined` without any. */
  join(): Uint8Array | undefined
}

export function createFrames(): Frames {
  /** Frames; those that follow each other in memory, as those of one slab do, are one. */
  const runs: Uint8Array[] = []
  let bytes = 0
  let count = 0
  let run: Run | undefined
  const endRun = (): void => {
    if (run === undefined) return
    const { first, length } = run
    runs.push(first.length === length ? first : new Uint8Array(first.buffer, first.byteOffset, length))
    run = undefined
  }
  return {
    get count() {
      return count
    },
    add: (frame) => {
      const { length } = frame
      if (length === 0) return true
      if (bytes > 0 && bytes + length > CHUNK_BYTES) return false
      bytes += length
      count++
      if (run?.first.buffer === frame.buffer && run.first.byteOffset + run.length === frame.byteOffset) {
        run.length += length
        return true
      }
      endRun()
      run = { first: frame, length }
      return true
    },
    join: () => {
      endRun()
      // Frames in one piece are shared without a copy, because streams only read them.
      return runs.length < 2 ? runs[0] : joinBytes(runs, bytes)
    },
  }
}
