/**
 * Streams of bytes without a web stream. A web stream costs more than the write to the socket, and a hub writes to thousands of streams.
 *
 * @module
 */

/** Receives the bytes of a source. A `ReadableStreamDefaultController` is one. */
export interface ByteSink {
  /** Never throws, even after the reader has left. */
  enqueue(bytes: Uint8Array): void
  /** Called after the last bytes. */
  close(): void
  error(reason: unknown): void
}

/** Makes bytes when its reader asks for them. */
export interface ByteSource {
  /** Called once, before anything else. Bytes that need no request, such as a first frame, are enqueued at once. */
  open(sink: ByteSink): void
  /** Called when the reader waits for bytes. They are enqueued once there are any, in one piece, maybe before this returns. */
  pull(): void
  /** Called when the reader has left. */
  cancel(): void
}

/**
 * A source as a web stream. No bytes are made before the reader asks, so a stalled reader holds no bytes.
 *
 * @param onEnd Called when the source has ended by itself. Its last bytes may still be on their way.
 */
export function toReadableStream(source: ByteSource, onEnd?: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream(new Bridge(source, onEnd), { highWaterMark: 0 })
}

/** Connects a web stream with its source. It is a class, because there may be ten thousand of them. */
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
