/**
 * Reads a stream of bytes to its end, within a limit.
 *
 * @module
 */

import { joinBytes } from './bytes.ts'

/** The next piece of a stream; `undefined` at its end. */
export type ReadPiece = () => Promise<Uint8Array | undefined>

/**
 * Reads all bytes of a stream into one piece.
 *
 * @returns the bytes, or `undefined` as soon as there are more than `limitBytes`. The caller must then cancel the stream.
 * @throws The error of `read`.
 */
export async function readToEnd(read: ReadPiece, limitBytes: number): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = []
  let length = 0
  for (let piece = await read(); piece !== undefined; piece = await read()) {
    length += piece.length
    if (length > limitBytes) return undefined
    pieces.push(piece)
  }
  const [only] = pieces
  return only !== undefined && pieces.length === 1 ? only : joinBytes(pieces, length)
}
