/**
 * A body of bytes with lines of JSON between them: `{"bytes":N}` is followed by N bytes, every other line says something about them. So the
 * sender can report progress and failures on the way, and a body that is cut short never looks whole.
 *
 * @module
 */

import { joinBytes, NO_BYTES, toBytes, toText } from '#shared/bytes/bytes.ts'
import { parseJsonRecord, type JsonRecord } from '#shared/json/record.ts'

/** Media type of a backup. */
export const BACKUP_MEDIA_TYPE = 'application/x-aviso-backup'

/** Longest line. Those of a backup have a few hundred bytes. */
const MAX_LINE_BYTES = 64 * 1024
const LINE_FEED = 0x0a

/** A part of a body: bytes, or what a line says. */
export type FramedPart =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'line'; readonly line: JsonRecord }

/** A line, or what stands before the bytes that follow it. */
export function frameLine(line: Readonly<Record<string, unknown>>): Uint8Array {
  return toBytes(`${JSON.stringify(line)}\n`)
}

/**
 * Takes a body apart. Bytes are passed on as they come, so nothing but one line is kept.
 *
 * @throws {RangeError} For a line that is too long or not an object, and for a body that ends within a frame.
 */
export async function* readFrames(body: AsyncIterable<Uint8Array>): AsyncGenerator<FramedPart, void> {
  let begun = NO_BYTES
  let wanted = 0
  for await (const piece of body) {
    let rest: Uint8Array = piece
    while (rest.length > 0) {
      if (wanted > 0) {
        const bytes = rest.subarray(0, wanted)
        wanted -= bytes.length
        rest = rest.subarray(bytes.length)
        yield { kind: 'bytes', bytes }
        continue
      }
      const end = rest.indexOf(LINE_FEED)
      const part = end === -1 ? rest : rest.subarray(0, end)
      begun = joinBytes([begun, part], begun.length + part.length)
      if (begun.length > MAX_LINE_BYTES) throw new RangeError('A line of the body is too long')
      if (end === -1) break
      rest = rest.subarray(end + 1)
      const line = parseJsonRecord(toText(begun))
      begun = NO_BYTES
      if (line === undefined) throw new RangeError('A line of the body is not a JSON object')
      const { bytes: count } = line
      if (typeof count === 'number' && Number.isSafeInteger(count) && count > 0) wanted = count
      else yield { kind: 'line', line }
    }
  }
  if (wanted > 0 || begun.length > 0) throw new RangeError('The body ends within a frame')
}
