/**
 * Streams whose bytes can be had without the stream: a web stream costs more than the write that it leads to, and a hub writes to thousands.
 *
 * @module
 */

/** Where the bytes of a stream go. A `ReadableStreamDefaultController` is one. */
export interface ByteSink {
  /** Called once for each pull, at most. Never throws, not even where nobody reads any more. */
  enqueue(bytes: Uint8Array): void
  close(): void
  error(reason: unknown): void
}

/** What makes the bytes of a stream. */
export interface ByteSource {
  /**
   * From now on everything goes to this sink, and nobody reads the stream any more.
   *
   * @returns False where the source has ended already: what is left is in the stream.
   */
  redirect(sink: ByteSink): boolean
  /** The reader waits for bytes. They are enqueued once there are any, maybe before this returns. */
  pull(): void
  /** Nobody reads any more. */
  cancel(): void
  /** Calls `task` once it has ended by itself: what is left of it is on its way. */
  onEnd?(task: () => void): void
}

const sources = new WeakMap<ReadableStream, ByteSource>()

/**
 * Says where a stream's bytes come from, so that a runtime which can may read them there. What the stream has in its queue is read first,
 * so a source with a first frame enqueues it when the stream is made.
 */
export function offerSource(stream: ReadableStream<Uint8Array>, source: ByteSource): void {
  sources.set(stream, source)
}

/** The source of a stream; `undefined` where none was offered. */
export function sourceOf(stream: ReadableStream): ByteSource | undefined {
  return sources.get(stream)
}
