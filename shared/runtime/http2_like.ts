/**
 * The least that the store needs of an HTTP/2 client: Node, Deno and Bun have one.
 *
 * @module
 */

/** Fields of a head or of trailers, by lower-case name. */
export type Http2Fields = Readonly<Record<string, unknown>>

/** Why a stream ended too early. */
export interface Http2Fault {
  /** The other side has certainly not begun with the request. Otherwise it may have done anything. */
  readonly isUntouched: boolean
  readonly cause: Error
}

/** Gets what comes on a stream. Nothing of it may throw. Data may come before the head. */
export interface Http2Receiver {
  onHead(status: number, fields: Http2Fields): void
  onData(bytes: Uint8Array): void
  onTrailers(fields: Http2Fields): void
  /** Nothing comes after it. */
  onEnd(fault: Http2Fault | undefined): void
}

/** A stream. */
export interface Http2Stream {
  write(bytes: Uint8Array): void
  /** Holds back what comes. The other side may then send no more than the stream's window. */
  pause(): void
  resume(): void
  /** Resets the stream. The receiver gets nothing more. Idempotent. */
  cancel(): void
}

/** What a stream is begun with. */
export interface Http2Request {
  readonly path: string
  readonly fields: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Whether more is written behind the body. */
  readonly staysOpen: boolean
}

/** A connection whose other side has said that it speaks HTTP/2. */
export interface Http2Connection {
  /** `false` once it takes no new streams. */
  readonly isOpen: boolean
  /** POSTs. Only while it is open. */
  request(request: Http2Request, receiver: Http2Receiver): Http2Stream
  /** Resolves when the other side answers. */
  ping(): Promise<void>
  /** Closes it when its streams have ended. */
  close(): void
  /** Closes it now. Its streams end with a fault. */
  destroy(): void
}

/** How a connection is made. */
export interface Http2Options {
  /**
   * Bytes that the other side may send on a stream before they were taken. A stream that holds them back does not stop the others, because
   * the connection counts them as taken.
   */
  readonly windowBytes: number
  /** Gives up. Without effect later. */
  readonly signal: AbortSignal
}

/**
 * Connects.
 *
 * @param url e.g. `http://10.0.0.1:2379`; `https:` with TLS.
 * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` without a connection, `ERR_STORE_PROTOCOL` where the other side speaks something else.
 */
export type ConnectHttp2 = (url: string, options: Http2Options) => Promise<Http2Connection>
