/**
 * Delivery: it writes to all streams and moves their cursors. A cursor is the place in the store's history that a stream has reached.
 *
 * Flow: store → hub (**delivery**) → auth → listener
 *
 * When a stream's reader asks for bytes, delivery writes what comes next for its cursor. It takes that from history, then from the ring
 * (the recent revisions in memory). A stream that has everything then waits in the front of its group for live frames. A stream whose
 * reader does not ask is parked and costs nothing.
 *
 * @module
 */

import { onNextTurn } from '#shared/time/turn.ts'
import type { Revision } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { EntrySource } from './source/chunk.ts'
import type { Entry } from './source/entry.ts'
import { createFronts, type Fronts } from './front.ts'
import type { Groups } from './group.ts'
import type { History } from './source/history.ts'
import { oldestRevisionOf } from '#shared/errors.ts'
import type { Ending, HubObserver, StreamPosition } from './hub.ts'
import { SHARED_CHUNKS_BYTES } from './limits.ts'
import type { Ring } from './source/ring.ts'
import { createChunkReader, type ChunkReader } from './shared_chunks.ts'
import { write, type Stream, type StreamReader } from './stream.ts'

export interface DeliveryParts {
  readonly ring: Ring
  readonly history: History
  readonly visit: Groups['visit']
  /** Whether the ring has everything that was stored before the hub began. See `source/standing.ts`. */
  readonly isSettled: () => boolean
  readonly clock: Clock
  readonly logger: Logger
  /** Called once for a stream that has ended or was cancelled. */
  readonly onGone: (stream: Stream) => void
  readonly observer?: HubObserver
}

export interface Delivery extends StreamReader {
  /** Matches an entry that has just been appended to the ring. */
  dispatch(entry: Entry): void
  /** Writes everything that can be written, at the end of this turn. */
  flushSoon(): void
  /** Writes everything that can be written, at once. */
  flush(): void
  /** Writes a heartbeat, if the format has one. Call it only after {@link flush}, and while the stream's reader waits. */
  beat(stream: Stream): void
  /** Writes the last frame and closes the stream. Does nothing to a stream that has ended. */
  end(stream: Stream, ending: Ending): void
  /** The place up to which a stream has everything. */
  positionOf(stream: Stream): StreamPosition
}

/** The parts of a delivery, shared by the steps of all streams. */
interface Desk extends DeliveryParts {
  readonly fronts: Fronts
  readonly read: ChunkReader
  /** Streams at the ring's end that do not belong to a front, e.g. streams that start at a later revision or that have an end. */
  readonly waiting: Set<Stream>
  readonly flushSoon: () => void
}

export function createDelivery(parts: DeliveryParts): Delivery {
  let isFlushDue = false
  const flushSoon = (): void => {
    if (isFlushDue) return
    isFlushDue = true
    onNextTurn(flush)
  }
  const desk: Desk = {
    ...parts,
    flushSoon,
    fronts: createFronts({ ...parts, onFailure: (streams, error) => fail(desk, streams, error) }),
    read: createChunkReader(SHARED_CHUNKS_BYTES),
    waiting: new Set(),
  }
  const { fronts, waiting, clock } = desk

  function flush(): void {
    isFlushDue = false
    fronts.flush()
    const streams = [...waiting]
    waiting.clear()
    for (const stream of streams) serve(desk, stream)
  }
  return {
    dispatch: fronts.dispatch,
    flush,
    flushSoon,
    pulled: (stream) => {
      if (stream.hasEnded) return
      stream.isWanted = true
      stream.parkedAt = Infinity
      serve(desk, stream)
    },
    cancelled: (stream) => {
      if (!stream.hasEnded) detach(desk, stream)
    },
    beat: (stream) => {
      const now = clock.monotonic()
      const frame = stream.format.heartbeat?.(positionOf(desk, stream))
      stream.writtenAt = now
      if (frame === undefined) return
      if (stream.place >= 0) fronts.leave(stream)
      write(stream, frame, now)
    },
    end: (stream, ending) => end(desk, stream, ending),
    positionOf: (stream) => positionOf(desk, stream),
  }
}

/** Writes to a stream as long as its reader asks and there is something to write. */
function serve(desk: Desk, stream: Stream): void {
  // A reader may ask for more during a write. The loop below then goes on, without a nested call.
  if (stream.isServed) return
  stream.isServed = true
  try {
    while (stream.isWanted && stream.place < 0 && step(desk, stream));
  } catch (error) {
    fail(desk, [stream], error)
  } finally {
    stream.isServed = false
  }
}

/** Takes one step. @returns whether another step may follow. */
function step(desk: Desk, stream: Stream): boolean {
  const { ring, history, fronts, waiting } = desk
  const isAtEnd = stream.next > ring.through
  const { until } = stream
  if (isPastHistory(desk, stream)) completeHistory(desk, stream)
  if (until !== undefined && stream.next > until) {
    end(desk, stream, { reason: 'end_of_stream' })
    return false
  }
  if (!stream.isWanted) return false
  if (isAtEnd) {
    if (belongsToFront(desk, stream)) fronts.enter(stream)
    else waiting.add(stream)
    return false
  }
  if (isUpToDate(stream)) {
    stream.next = reachOf(desk, stream) + 1n
    stream.index = 0
    return true
  }
  const source = stream.next >= ring.floor ? ring : history.find(stream.next)
  if (source === undefined) return wait(desk, stream)
  return take(desk, stream, source)
}

/**
 * Writes one chunk to a stream, and moves its cursor behind the chunk. A stream that may have no more of its history ends.
 *
 * @returns whether another step may follow in this turn.
 */
function take(desk: Desk, stream: Stream, source: EntrySource): boolean {
  const { read, clock } = desk
  const { next, index, bytes, frames, isFull, isCut } = read(stream, source)
  stream.next = next
  stream.index = index
  if (stream.historyEnd !== undefined) {
    if (frames > 0) stream.format.replayed?.(frames)
    if (stream.historyLeft === 0 && isFull) {
      end(desk, stream, { reason: 'history_limit' })
      return false
    }
    if (stream.historyLeft !== undefined) stream.historyLeft -= frames
  }
  if (bytes !== undefined) write(stream, bytes, clock.monotonic())
  else if (isCut) {
    desk.waiting.add(stream)
    desk.flushSoon()
    return false
  }
  return true
}

/** Requests history for a stream. @returns whether the history is there already. */
function wait(desk: Desk, stream: Stream): boolean {
  if (stream.waiter !== undefined) return false
  const done = (): void => {
    stream.waiter = undefined
  }
  stream.waiter = {
    next: stream.next,
    resume: () => {
      done()
      serve(desk, stream)
    },
    fail: (error) => {
      done()
      const oldest = oldestRevisionOf(error)
      end(
        desk,
        stream,
        oldest === undefined ? { reason: 'store_unavailable' } : { reason: 'history_compacted', oldest },
      )
    },
  }
  desk.history.request(stream.waiter)
  return stream.waiter === undefined
}

/** Whether a stream takes everything from now on, as live. */
function belongsToFront({ ring }: Desk, { next, index, until, historyEnd }: Stream): boolean {
  return historyEnd === undefined && until === undefined && index === 0 && next === ring.through + 1n
}

function isPastHistory({ ring, isSettled }: Desk, { next, historyEnd, until }: Stream): boolean {
  if (historyEnd === undefined) return false
  return next > historyEnd || (until === undefined && next > ring.through && isSettled())
}

function completeHistory(desk: Desk, stream: Stream): void {
  const frame = stream.format.caughtUp?.(positionOf(desk, stream))
  stream.historyEnd = undefined
  if (frame !== undefined) write(stream, frame, desk.clock.monotonic())
}

/** Whether nothing between the stream's cursor and the ring's end matches. */
function isUpToDate({ next, group }: Stream): boolean {
  return next > group.since && next > group.lastHit
}

/** The last revision that a stream can reach now. */
function reachOf({ ring }: Desk, { until }: Stream): Revision {
  return until !== undefined && until < ring.through ? until : ring.through
}

/** The place up to which a stream has everything. Hits of the front that are not written yet are ignored. */
function positionOf(desk: Desk, stream: Stream): StreamPosition {
  const { next, index } = stream
  const reach = reachOf(desk, stream)
  if (stream.place >= 0) return { revision: reach }
  if (index > 0) return { revision: next, index: index - 1 }
  return { revision: isUpToDate(stream) && reach >= next ? reach : next - 1n }
}

function end(desk: Desk, stream: Stream, ending: Ending): void {
  if (stream.hasEnded) return
  if (stream.place >= 0) desk.fronts.leave(stream)
  const position = positionOf(desk, stream)
  const { sink, format } = stream
  detach(desk, stream)
  const frame = format.closing?.({ ...ending, position })
  if (frame !== undefined) sink.enqueue(frame)
  sink.close()
}

function detach({ fronts, waiting, history, onGone }: Desk, stream: Stream): void {
  stream.hasEnded = true
  stream.isWanted = false
  if (stream.place >= 0) fronts.remove(stream)
  waiting.delete(stream)
  if (stream.waiter !== undefined) history.forget(stream.waiter)
  stream.waiter = undefined
  onGone(stream)
}

/** Ends streams whose format threw. That is a defect of this service, and no other stream ends with them. */
function fail(desk: Desk, streams: readonly Stream[], error: unknown): void {
  desk.logger('error', 'Streams were broken off because their frames could not be made', {
    reason: error instanceof Error ? error.name : 'unknown',
    streams: streams.length,
  })
  for (const stream of Array.from(streams)) {
    if (stream.hasEnded) continue
    detach(desk, stream)
    stream.sink.error(error)
  }
}
