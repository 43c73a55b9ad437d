/**
 * One listener's stream: it has a cursor, and knows whether its reader has asked for more. It has no queue.
 *
 * @module
 */

import type { ByteSink, ByteSource } from '#shared/bytes/byte_source.ts'
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
  /** Most notifications of history; absent: no limit. */
  readonly historyLeft: number | undefined
  /** Last revision of the stream; absent: it has no end. */
  readonly until: Revision | undefined
  readonly heartbeatMs: number
  /** When the stream begins, and when it ends at the latest, in monotonic time. */
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
  /** Receives the bytes of the stream. */
  sink: ByteSink
  next: Revision
  index: number
  /** Last revision that counts as history; absent once it is complete. */
  historyEnd: Revision | undefined
  /** How many more notifications of history it may have; absent: any number. */
  historyLeft: number | undefined
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
  readonly heartbeatMs: number
  /** In monotonic time; `parkedAt` is `Infinity` while the reader keeps up. */
  readonly endsAt: number
  readonly ageReason: EndReason
  writtenAt: number
  parkedAt: number
  /** Bytes that were written to it. */
  bytes: number
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
): { readonly stream: Stream; readonly body: ByteSource } {
  const early = new EarlySink()
  const stream = createStream(start, early)
  if (start.opening !== undefined) early.enqueue(start.opening)
  return { stream, body: new StreamBody(stream, early, reader) }
}

/** Keeps what a stream writes before it has a reader: its first frame, and its last frame if it ends that early. */
class EarlySink implements ByteSink {
  readonly #writes: ((sink: ByteSink) => void)[] = []

  enqueue(bytes: Uint8Array): void {
    this.#writes.push((sink) => sink.enqueue(bytes))
  }

  close(): void {
    this.#writes.push((sink) => sink.close())
  }

  error(reason: unknown): void {
    this.#writes.push((sink) => sink.error(reason))
  }

  moveTo(sink: ByteSink): void {
    for (const write of this.#writes) write(sink)
  }
}

/** The bytes of a stream. It is a class, because there may be ten thousand of them. */
class StreamBody implements ByteSource {
  readonly #stream: Stream
  readonly #reader: StreamReader
  #early: EarlySink | undefined

  constructor(stream: Stream, early: EarlySink, reader: StreamReader) {
    this.#stream = stream
    this.#early = early
    this.#reader = reader
  }

  open(sink: ByteSink): void {
    const early = this.#early
    this.#early = undefined
    this.#stream.sink = sink
    early?.moveTo(sink)
  }

  pull(): void {
    this.#reader.pulled(this.#stream)
  }

  cancel(): void {
    this.#reader.cancelled(this.#stream)
  }
}

function createStream(start: StreamStart, sink: ByteSink): Stream {
  const { group, format, next, index, historyEnd, historyLeft, until } = start
  const { heartbeatMs, now, endsAt, ageReason, onGone } = start
  return {
    group,
    format,
    sink,
    next,
    index,
    historyEnd,
    historyLeft,
    until,
    isWanted: false,
    isServed: false,
    place: -1,
    waiter: undefined,
    hasEnded: false,
    onGone,
    heartbeatMs,
    endsAt,
    ageReason,
    writtenAt: now,
    parkedAt: Infinity,
    bytes: 0,
  }
}

/** Writes bytes to a reader that waits. The write comes last, because the runtime may ask for more before it returns. */
export function write(stream: Stream, bytes: Uint8Array, now: number): void {
  stream.isWanted = false
  stream.writtenAt = now
  stream.bytes += bytes.length
  stream.sink.enqueue(bytes)
}
