/**
 * A stream of bytes → lines.
 *
 * @module
 */

import { malformed } from './wire.ts'

/** Longest line: several times what etcd sends, which cuts its messages at some 2 MiB when asked to. */
const MAX_LINE_BYTES = 64 * 1024 * 1024

const NEWLINE = 0x0a

/** Reads lines. */
export interface LineReader {
  /**
   * The lines that the next piece completes, without their ends; possibly none. The last line need not be terminated: the older gateway
   * ends a stream with an error that is not.
   *
   * @returns `undefined` at the end of the stream.
   * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a line without end, and whatever `read` throws.
   */
  next(): Promise<readonly string[] | undefined>
}

/** Splits what `read` gives at line feeds. */
export function createLineReader(read: () => Promise<Uint8Array | undefined>): LineReader {
  const decoder = new TextDecoder()
  /** Pieces of the line that has not ended. */
  let begun: Uint8Array[] = []
  let begunBytes = 0
  let ended = false

  const complete = (tail: Uint8Array): string => {
    const pieces = [...begun, tail]
    const bytes = begun.length === 0 ? tail : concat(pieces, begunBytes + tail.length)
    begun = []
    begunBytes = 0
    return decoder.decode(bytes)
  }
  return {
    next: async () => {
      if (ended) return undefined
      const piece = await read()
      if (piece === undefined) {
        ended = true
        return begunBytes === 0 ? undefined : [complete(new Uint8Array())]
      }
      const lines: string[] = []
      let start = 0
      for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
        lines.push(complete(piece.subarray(start, end)))
        start = end + 1
      }
      if (start < piece.length) {
        begun.push(piece.subarray(start))
        begunBytes += piece.length - start
      }
      if (begunBytes > MAX_LINE_BYTES) throw malformed(new Error('A line has no end'))
      return lines
    },
  }
}

function concat(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length)
  let offset = 0
  for (const piece of pieces) {
    all.set(piece, offset)
    offset += piece.length
  }
  return all
}
