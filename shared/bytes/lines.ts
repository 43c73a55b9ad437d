/**
 * Bytes that come in pieces → lines.
 *
 * @module
 */

import { joinBytes, NO_BYTES } from './bytes.ts'

const LINE_FEED = 0x0a

/** The bound of a line. */
export interface LineBound {
  /** Bytes of the longest line, its line feed not counted. */
  readonly maxBytes: number
  /** The failure for a longer one. Default: a `RangeError`. */
  readonly tooLong?: () => Error
}

/** Splits pieces of bytes at line feeds. A carriage return before one stays part of the line. */
export interface LineSplitter {
  /**
   * The lines that a piece completes, possibly none, without their line feeds. They are found one by one, so nothing is kept of a piece of
   * thousands of empty lines; finish the iteration before the next call. A line that lies in one piece is a view of it.
   *
   * @throws What {@link LineBound.tooLong} makes, behind the lines before the one that is too long.
   */
  add(piece: Uint8Array): Generator<Uint8Array, void>
  /** Ends the line that has no line feed, and gives it: empty where the last line had one. */
  end(): Uint8Array
}

/** A splitter that has seen nothing. Pieces of an unfinished line are joined once it is whole: a client may send it byte by byte. */
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
