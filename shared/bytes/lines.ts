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
  /** How a line is taken apart before it has ended. Default: it is not. */
  readonly cut?: LineCut
}

/** Takes lines apart that are longer than a reader should wait for. */
export interface LineCut {
  /** Bytes of a line that has not ended, from which on it is cut. */
  readonly bytes: number
  /** Cuts the beginning of a line in two lines. @returns `undefined` where it cannot be cut yet. */
  cut(begun: Uint8Array): readonly [line: Uint8Array, begun: Uint8Array] | undefined
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
export function createLineSplitter({ maxBytes, tooLong, cut }: LineBound): LineSplitter {
  /** The beginning of the line that has not ended. */
  let begun: Uint8Array[] = []
  let begunBytes = 0
  /** Bytes of the begun line from which on it is tried to cut it. */
  let cutBytes = cut?.bytes ?? Infinity

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
    cutBytes = cut?.bytes ?? Infinity
    return line
  }
  const cutBegun = (): Uint8Array | undefined => {
    const parts = cut?.cut(joinBytes(begun, begunBytes))
    // What cannot be cut is joined again only when it is twice as long, so that a long line costs no more than a few copies.
    cutBytes = parts === undefined ? begunBytes * 2 : parts[1].length + (cut?.bytes ?? Infinity)
    if (parts === undefined) return undefined
    const [line, rest] = parts
    begun = [rest]
    begunBytes = rest.length
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
      const line = begunBytes < cutBytes ? undefined : cutBegun()
      if (line !== undefined) yield line
    },
    end: () => complete(NO_BYTES),
  }
}
