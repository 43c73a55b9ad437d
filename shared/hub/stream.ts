/**
 * One listener's stream: it has a cursor, and knows whether its reader has asked for more. It has no queue.
 *
 * @module
 */

import { offerSource, type ByteSink } from '#shared/bytes/byte_source.ts'
import type { Revision } from '#shared/store/store.ts'
import type { Cursor } from './source/chunk.ts'
import type { Group } from './group.ts'
import type { HistoryWaiter } from './source/history_reader.ts'
import type { EndReason, StreamFormat } from './hub.ts'

/** How a stream begins. */
export interface StreamStart extends Cursor {
  readonly group: Group
  readonly format: StreamFormat
  /** First frame. */
  readonly opening: Uint8Array | undefined
  /** Last revision that counts as history; absent: there is none. */
  readonly historyEnd: Revision | undefined
  /** Last revision of the stream; absent: it has no end. */
  readonly until: Revision | undefined
  readonly heartbeatMs: number
  /** When the stream begins, and when it ends at the latest, in milliseconds since the epoch. */
  readonly now: number
  readonly endsAt: number
  /** Why the stream ends at `endsAt`. */
  readonly ageReason: EndReason
  /** Called when the stream has ended or was cancelled. */
  readonly onGone: (() => void) | undefined
}

/** A running stream. Its cursor is not kept up to date while the stream is in the front of its group. */
export interface Stream extends Cursor {
  readonly group: Group
  readonly format: StreamFormat
  /** Where its bytes go: into the web stream, or directly to the runtime's socket. */
  sink: ByteSink
  next: Revision
  index: number
  /** Last revision that counts as history; absent once it is complete. */
  historyEnd: Revision | undefined
  readonly until: Revision | undefined
  /** Whether the reader waits for bytes. Otherwise only the last frame is written. */
  isWanted: boolean
  /** Whether delivery is writing to the stream right now. */
  isServed: boolean
  /** Place in the front of its group, -1 when the stream is not in the front. */
  place: number
  /** The pending request for history. */
  waiter: HistoryWaiter | undefined
  hasEnded: boolean
  readonly onGone: (() => void) | undefined
  /** Called when the stream has ended, but not when it was cancelled. */
  onEnd: (() => void) | undefined
  readonly heartbeatMs: number
  /** Times in milliseconds since the epoch; `parkedAt` is 0 while the reader keeps up. */
  readonly endsAt: number
  readonly ageReason: EndReason
  writtenAt: number
  parkedAt: number
}

/** Called when the reader of a stream asks for bytes or leaves. */
export interface StreamReader {
  /** The reader waits for bytes. */
  pulled(stream: Stream): void
  /** The reader has left. */
  cancelled(stream: Stream): void
}

/** Opens a stream that begins with its first frame. */
export function openStream(
  start: StreamStart,
  reader: StreamReader,
): { readonly stream: Stream; readonly body: ReadableStream<Uint8Array> } {
  let stream: Stream | undefined
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        stream = createStream(start, controller)
        if (start.opening !== undefined) controller.enqueue(start.opening)
      },
      pull: () => {
        if (stream !== undefined) reader.pulled(stream)
      },
      cancel: () => {
        if (stream !== undefined) reader.cancelled(stream)
      },
    },
    // No bytes are made before the reader asks: a stalled reader holds a cursor, and no bytes.
    { highWaterMark: 0 },
  )
  const opened = stream
  if (opened === undefined) throw new TypeError('A stream starts when it is made')
  offerSource(body, {
    redirect: (sink) => {
      if (!opened.hasEnded) opened.sink = sink
      return !opened.hasEnded
    },
    pull: () => reader.pulled(opened),
    cancel: () => reader.cancelled(opened),
    onEnd: (task) => {
      opened.onEnd = task
    },
  })
  return { stream: opened, body }
}

function createStream(start: StreamStart, sink: ByteSink): Stream {
  const { group, format, next, index, historyEnd, until, heartbeatMs, now, endsAt, ageReason, onGone } = start
  return {
    group,
    format,
    sink,
    next,
    index,
    historyEnd,
    until,
    isWanted: false,
    isServed: false,
    place: -1,
    waiter: undefined,
    hasEnded: false,
    onGone,
    onEnd: undefined,
    heartbeatMs,
    endsAt,
    ageReason,
    writtenAt: now,
    parkedAt: 0,
  }
}

/** Writes bytes to a reader that waits. The write comes last, because the runtime may ask for more before it returns. */
export function write(stream: Stream, bytes: Uint8Array, now: number): void {
  stream.isWanted = false
  stream.writtenAt = now
  stream.sink.enqueue(bytes)
}
