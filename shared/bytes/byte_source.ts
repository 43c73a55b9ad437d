/**
 * Streams of bytes that need no web stream: that costs more than the write it leads to, and a hub writes to thousands.
 *
 * @module
 */

/** Where the bytes of a source go. A `ReadableStreamDefaultController` is one. */
export interface ByteSink {
  /** Never throws, not even where nobody reads any more. */
  enqueue(bytes: Uint8Array): void
  /** That was all. */
  close(): void
  error(reason: unknown): void
}

/** Makes bytes when they are asked for. */
export interface ByteSource {
  /** Called once, before anything else. What there is without being asked for is enqueued at once. */
  open(sink: ByteSink): void
  /** The reader waits for bytes. They are enqueued once there are any, in one piece, maybe before this returns. */
  pull(): void
  /** Called when the reader has left. */
  cancel(): void
}

/**
 * A source as a web stream. Nothing is made before it is asked for: a reader that stalls holds its place, and no bytes.
 *
 * @param onEnd Called when the source has ended by itself. What it has enqueued may still be on its way.
 */
export function toReadableStream(source: ByteSource, onEnd?: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream(new Bridge(source, onEnd), { highWaterMark: 0 })
}

/** What a web stream asks, and where its source writes. A class, because there may be ten thousand of them. */
class Bridge implements UnderlyingDefaultSource<Uint8Array>, ByteSink {
  readonly #source: ByteSource
  readonly #onEnd: (() => void) | undefined
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined

  constructor(source: ByteSource, onEnd: (() => void) | undefined) {
    this.#source = source
    this.#onEnd = onEnd
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller
    this.#source.open(this)
  }

  pull(): void {
    this.#source.pull()
  }

  cancel(): void {
    this.#source.cancel()
  }

  enqueue(bytes: Uint8Array): void {
    this.#controller?.enqueue(bytes)
  }

  close(): void {
    this.#controller?.close()
    this.#onEnd?.()
  }

  error(reason: unknown): void {
    this.#controller?.error(reason)
  }
}
