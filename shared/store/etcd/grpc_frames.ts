/**
 * gRPC's form of messages on a stream: one byte that says whether it is compressed, four of its length, and the message.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 * @module
 */

import { encodeMessage, type MessageType } from './protobuf.ts'
import { malformed } from './wire.ts'

/** Bytes before a message. */
const HEAD_BYTES = 5

/** Thrown for a message that is longer than is taken. */
export class MessageTooLarge extends Error {}

/** A message as it is sent. */
export function frameMessage(type: MessageType, message: object): Uint8Array {
  const bytes = encodeMessage(type, message, HEAD_BYTES)
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(1, bytes.length - HEAD_BYTES)
  return bytes
}

/** Takes a message apart that is read in parts. */
export interface MessageParts {
  /** @returns The part that ends in these bytes of the message. @param isLast Whether they are its last. */
  add(piece: Uint8Array, isLast: boolean): Uint8Array | undefined
}

/** Which messages are read in parts, each of which is a message of its own. */
export interface PartsOfLong {
  /** Of longer messages that do not come in one piece. */
  readonly bytes: number
  readonly begin: () => MessageParts
}

/** Puts messages together from pieces. */
export class MessageReader {
  readonly #maxBytes: number
  readonly #partsOfLong: PartsOfLong | undefined
  readonly #head = new Uint8Array(HEAD_BYTES)
  #headBytes = 0
  /** The message that has begun, and how much of it is there. */
  #message: MessageParts | undefined
  #messageBytes = 0

  /** @param maxBytes Of a longer message nothing is kept. */
  constructor(maxBytes: number, partsOfLong?: PartsOfLong) {
    this.#maxBytes = maxBytes
    this.#partsOfLong = partsOfLong
  }

  /** Whether a message has begun and not ended. */
  get isWithin(): boolean {
    return this.#headBytes > 0
  }

  /**
   * Yields the messages and parts that a piece completes; their memory may be that of the piece.
   *
   * @throws {MessageTooLarge}
   * @throws {AvisoError} `ERR_STORE_PROTOCOL` for something else.
   */
  *add(piece: Uint8Array): Generator<Uint8Array, void, undefined> {
    let at = 0
    while (at < piece.length) {
      if (this.#headBytes < HEAD_BYTES) {
        const taken = Math.min(HEAD_BYTES - this.#headBytes, piece.length - at)
        this.#head.set(piece.subarray(at, at + taken), this.#headBytes)
        this.#headBytes += taken
        at += taken
        if (this.#headBytes < HEAD_BYTES) return
      }
      const length = this.#length()
      if (this.#message === undefined && piece.length - at >= length) {
        this.#headBytes = 0
        yield piece.subarray(at, at + length)
        at += length
        continue
      }
      this.#message ??= this.#begin(length)
      const taken = Math.min(length - this.#messageBytes, piece.length - at)
      this.#messageBytes += taken
      const isLast = this.#messageBytes === length
      const part = this.#message.add(piece.subarray(at, at + taken), isLast)
      at += taken
      if (isLast) {
        this.#message = undefined
        this.#messageBytes = 0
        this.#headBytes = 0
      }
      if (part !== undefined) yield part
    }
  }

  #begin(length: number): MessageParts {
    const parts = this.#partsOfLong
    return parts !== undefined && length > parts.bytes ? parts.begin() : new WholeMessage(length)
  }

  #length(): number {
    const [compressed] = this.#head
    // We say that we take no compression.
    if (compressed !== 0) throw malformed(new Error('No message of gRPC, or a compressed one'))
    const length = new DataView(this.#head.buffer).getUint32(1)
    if (length > this.#maxBytes) throw new MessageTooLarge(`A message of ${length} bytes`)
    return length
  }
}

/** A message that is read as one. */
class WholeMessage implements MessageParts {
  readonly #bytes: Uint8Array
  #length = 0

  constructor(length: number) {
    this.#bytes = new Uint8Array(length)
  }

  add(piece: Uint8Array, isLast: boolean): Uint8Array | undefined {
    this.#bytes.set(piece, this.#length)
    this.#length += piece.length
    return isLast ? this.#bytes : undefined
  }
}
