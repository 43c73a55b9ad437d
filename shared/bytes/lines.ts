/**
 * Splits bytes that come in pieces into lines.
 *
 * @module
 */

import { joinBytes, NO_BYTES } from './bytes.ts'

const LINE_FEED = 0x0a

/** The bound of a line. */
export interface LineBound {
  /** Bytes of the longest line, without its line feed. */
  readonly maxBytes: number
  /** Makes the error for a longer line. Default: a `RangeError`. */
  readonly tooLong?: () => Error
}

/** Splits pieces of bytes at line feeds. A carriage return before a line feed stays part of the line. */
export interface LineSplitter {
  /**
   * Yields the lines that a piece completes, possibly none, without their line feeds. They are found one by one, so that a piece with
   * thousands of empty lines needs no memory. Finish the iteration before the next call. A line inside one piece is a view of the piece.
   *
   * @throws The error of {@link LineBound.tooLong}, after the lines before the one that is too long.
   */
  add(piece: Uint8Array): Generator<Uint8Array, void>
  /** Ends the last line. @returns its bytes; empty when the input ended with a line feed. */
  end(): Uint8Array
}

/** A new splitter. It joins the pieces of a line only once the line is complete, because a client may send it byte by byte. */
export function createLineSplitter({ maxBytes, tooLong }: LineBound): LineSplitter {
  /** The beginning of the line that has not ended. */
  let begun: Uint8Array[] = []
  let begunBytes = 0

  const refuseBeyond = (bytes: number): void => {
    if (bytes <= maxBytes) return
    throw tooLong?.() ?? new RangeError(`A line is longer than ${maxBytes} bytes`)
  }
  const begin = (piece: Uint8Array): void => {
    refuseBeyond(begunBytes + piece.length)
    if (piece.length === 0) return
    begun.push(piece)
    begunBytes += piece.length
  }
  const complete = (tail: Uint8Array): Uint8Array => {
    if (begunBytes === 0) {
      refuseBeyond(tail.length)
      return tail
    }
    begin(tail)
    const line = joinBytes(begun, begunBytes)
    begun = []
    begunBytes = 0
    return line
  }
  return {
    add: function* (piece) {
      let start = 0
      for (let end = piece.indexOf(LINE_FEED); end !== -1; end = piece.indexOf(LINE_FEED, start)) {
        yield complete(piece.subarray(start, end))
        start = end + 1
      }
      begin(piece.subarray(start))
    },
    end: () => complete(NO_BYTES),
  }
}
