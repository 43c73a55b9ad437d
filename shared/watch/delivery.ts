/**
 * Delivery: what moves the cursors of all streams.
 *
 * Flow: store → hub (**delivery**) → auth → listener
 *
 * A stream whose reader waits and that has everything stands in the *front* of its group. What matches is collected for the rest of the
 * turn and written to the whole front as one chunk; every stream it was written to leaves the front, and comes back when its reader asks
 * again. If by then more has matched, it is read from its cursor: in the ring, and where the ring has moved on, in history.
 *
 * @module
 */

import { onNextTurn } from '#shared/store/mvcc_turn.ts'
import type { Revision } from '#shared/store/store.ts'
import type { Clock } from '#shared/telemetry/clock.ts'
import type { Logger } from '#shared/telemetry/logger.ts'
import { createChunkCache, createFrames, readChunk, type Chunk, type EntrySource } from './chunk.ts'
import { frameOf, type Entry } from './entry.ts'
import { oldestRevisionOf, type History } from './history.ts'
import type { CloseReason, StreamPosition } from './hub.ts'
import { CHUNK_BYTES, SHARED_CHUNKS_BYTES } from './limits.ts'
import type { Ring } from './ring.ts'
import { enterFront, leaveFront, type Group, type Stream } from './stream.ts'

/** What delivery works with. */
export interface DeliveryParts {
  readonly ring: Ring
  readonly history: History
  /** Calls `hit` for everything that a group takes of an entry. */
  readonly visit: (entry: Entry, hit: (group: Group, place: number) => void) => void
  readonly clock: Clock
  readonly logger: Logger
  /** Called once for a stream that has ended or was cancelled. */
  readonly onGone: (stream: Stream) => void
}

export interface Delivery {
  /** Matches an entry that has just been appended to the ring. */
  dispatch(entry: Entry): void
  /** Has everything written that can be, at the end of this turn. */
  flushSoon(): void
  /** The same at once. */
  flush(): void
  /** The stream's reader waits for bytes. */
  pulled(stream: Stream): void
  /** The stream's reader has left. */
  cancelled(stream: Stream): void
  /** Writes a frame of the stream's own, if there is one. Only while its reader waits. */
  write(stream: Stream, frame: Uint8Array | undefined): void
  /** How far the stream is. */
  positionOf(stream: Stream): StreamPosition
  /** Writes the last frame and closes the stream. Does nothing to one that has ended. */
  end(stream: Stream, reason: CloseReason, oldestRevision?: Revision): void
}

export function createDelivery({ ring, history, visit, clock, logger, onGone }: DeliveryParts): Delivery {
  const chunks = createChunkCache(SHARED_CHUNKS_BYTES)
  /** Groups with hits. */
  let dirty: Group[] = []
  /** Streams that wait for more, but not for all that comes: those that start later, and those that have an end. */
  const ahead = new Set<Stream>()
  let isFlushDue = false

  function dispatch(entry: Entry): void {
    const { revision } = entry
    visit(entry, (group, place) => {
      if (group.until !== undefined && revision > group.until) return
      group.lastHit = revision
      if (group.front.length === 0) return
      if (group.hits.push({ entry, place }) === 1) dirty.push(group)
    })
  }

  function flush(): void {
    isFlushDue = false
    const groups = dirty
    dirty = []
    for (const group of groups) flushGroup(group)
    const waiting = [...ahead]
    ahead.clear()
    for (const stream of waiting) serve(stream)
  }

  /** Writes the hits to the front. What does not fit into one chunk is read from the ring by those who come back. */
  function flushGroup(group: Group): void {
    const { hits, front } = group
    group.hits = []
    if (hits.length === 0 || front.length === 0) return
    const frames = createFrames()
    let next = ring.through + 1n
    let index = 0
    try {
      for (const { entry, place } of hits) {
        if (frames.add(frameOf(entry, place, group.live))) continue
        next = entry.revision
        index = place
        break
      }
    } catch (error) {
      return fail(group.front, error)
    }
    const bytes = frames.join()
    if (bytes === undefined) return
    const now = clock.now()
    group.front = []
    for (const stream of front) {
      stream.place = -1
      stream.next = next
      stream.index = index
      put(stream, bytes, now)
    }
  }

  function pulled(stream: Stream): void {
    stream.isWanted = true
    stream.parkedAt = 0
    serve(stream)
  }

  /** Gives a stream what it can have now. */
  function serve(stream: Stream): void {
    try {
      while (stream.isWanted && !stream.hasEnded && stream.place < 0) if (!step(stream)) return
    } catch (error) {
      fail([stream], error)
    }
  }

  /** @returns Whether to look again. */
  function step(stream: Stream): boolean {
    const { group } = stream
    const { until } = group
    if (stream.historyEnd !== undefined && stream.next > stream.historyEnd) completeHistory(stream)
    if (until !== undefined && stream.next > until) {
      end(stream, 'end_of_stream')
      return false
    }
    if (!stream.isWanted) return false
    if (stream.next > ring.through) return rest(stream)
    if (isUpToDate(stream)) {
      stream.next = last(group) + 1n
      stream.index = 0
      return true
    }
    if (stream.next >= ring.floor) take(stream, ring)
    else {
      const page = history.find(stream.next)
      if (page === undefined) return wait(stream)
      take(stream, page)
    }
    return true
  }

  /** There is nothing to read for now. */
  function rest(stream: Stream): false {
    if (stream.next > ring.through + 1n || stream.group.until !== undefined) ahead.add(stream)
    else {
      // What this stream has read from the ring must not be written to it again with the front.
      flushGroup(stream.group)
      enterFront(stream)
    }
    return false
  }

  function wait(stream: Stream): false {
    if (stream.waiter !== undefined) return false
    const { next } = stream
    const done = (): void => {
      stream.waiter = undefined
    }
    stream.waiter = {
      next,
      resume: () => {
        done()
        serve(stream)
      },
      fail: (error) => {
        done()
        const oldest = oldestRevisionOf(error)
        if (oldest === undefined) end(stream, 'store_unavailable')
        else end(stream, 'history_compacted', oldest)
      },
    }
    history.request(stream.waiter)
    return false
  }

  /** Reads a chunk for a stream, and moves its cursor behind it. */
  function take(stream: Stream, source: EntrySource): void {
    const { next, index, bytes } = chunkFor(stream, source)
    stream.next = next
    stream.index = index
    if (bytes !== undefined) put(stream, bytes, clock.now())
  }

  function chunkFor(stream: Stream, source: EntrySource): Chunk {
    const { group, historyEnd } = stream
    const reading = {
      matcher: group.matcher,
      encoding: historyEnd === undefined ? group.live : group.history,
      last: historyEnd ?? group.until,
    }
    if (group.size === 1) return readChunk(source, stream, reading)
    const key = `${group.id}.${historyEnd === undefined ? 'l' : 'h'}.${stream.next}.${stream.index}`
    const known = chunks.get(key)
    if (known !== undefined && isUsable(known, group, reading.last)) return known
    const chunk = readChunk(source, stream, reading)
    chunks.set(key, chunk)
    return chunk
  }

  /** Whether a chunk does not go too far, nor ends where by now there is more. */
  function isUsable(chunk: Chunk, group: Group, lastRevision: Revision | undefined): boolean {
    if (lastRevision !== undefined && chunk.next > lastRevision + 1n) return false
    if (chunk.isFull || (chunk.bytes?.length ?? 0) > CHUNK_BYTES / 2) return true
    return chunk.next > group.lastHit
  }

  function completeHistory(stream: Stream): void {
    const frame = stream.format.caughtUp?.(positionOf(stream))
    stream.historyEnd = undefined
    write(stream, frame)
  }

  function write(stream: Stream, frame: Uint8Array | undefined): void {
    if (frame === undefined) return
    if (stream.place >= 0) stepBack(stream)
    if (stream.isWanted) put(stream, frame, clock.now())
  }

  /** Takes a stream out of the front, with a cursor of its own. */
  function stepBack(stream: Stream): void {
    flushGroup(stream.group)
    if (stream.place < 0) return
    leaveFront(stream)
    stream.next = ring.through + 1n
    stream.index = 0
  }

  function isUpToDate({ next, group }: Stream): boolean {
    return next > group.since && next > group.lastHit
  }

  /** Last revision that its streams need not look at again. */
  function last({ until }: Group): Revision {
    return until !== undefined && until < ring.through ? until : ring.through
  }

  function positionOf(stream: Stream): StreamPosition {
    const { group, next, index } = stream
    if (stream.place >= 0) return { revision: last(group) }
    if (index > 0) return { revision: next, index: index - 1 }
    const reached = last(group)
    return { revision: isUpToDate(stream) && reached >= next ? reached : next - 1n }
  }

  function detach(stream: Stream): void {
    stream.hasEnded = true
    stream.isWanted = false
    if (stream.place >= 0) leaveFront(stream)
    ahead.delete(stream)
    if (stream.waiter !== undefined) history.forget(stream.waiter)
    stream.waiter = undefined
    onGone(stream)
  }

  function end(stream: Stream, reason: CloseReason, oldestRevision?: Revision): void {
    if (stream.hasEnded) return
    if (stream.place >= 0) stepBack(stream)
    const position = positionOf(stream)
    detach(stream)
    const closing = { reason, position, ...(oldestRevision !== undefined && { oldestRevision }) }
    const frame = stream.format.closing?.(closing)
    if (frame !== undefined) stream.controller.enqueue(frame)
    stream.controller.close()
  }

  /** A format that throws is a defect of ours: it ends the streams that it concerns, and nothing else. */
  function fail(streams: readonly Stream[], error: unknown): void {
    logger('error', 'A stream could not be written', {
      reason: error instanceof Error ? error.name : 'unknown',
      streams: streams.length,
    })
    for (const stream of [...streams]) {
      if (stream.hasEnded) continue
      detach(stream)
      stream.controller.error(error)
    }
  }

  return {
    dispatch,
    flush,
    flushSoon: () => {
      if (isFlushDue) return
      isFlushDue = true
      onNextTurn(flush)
    },
    pulled,
    cancelled: (stream) => {
      if (!stream.hasEnded) detach(stream)
    },
    write,
    positionOf,
    end,
  }
}

/** Hands bytes to the reader that waits. Last of all, for the runtime may ask for more before this returns. */
function put(stream: Stream, bytes: Uint8Array, now: number): void {
  stream.isWanted = false
  stream.writtenAt = now
  stream.controller.enqueue(bytes)
}
