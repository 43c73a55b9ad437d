/**
 * Streams of bytes, read piece by piece.
 *
 * @module
 */

import { joinBytes } from './bytes.ts'

/** The next piece of a stream; `undefined` at its end. */
export type ReadPiece = () => Promise<Uint8Array | undefined>

/**
 * The bytes of a stream that ends, in one piece.
 *
 * @returns `undefined` as soon as there are more than `limitBytes`. What is left of the stream is the caller's to give up.
 * @throws Whatever `read` throws.
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
