/**
 * Finds notifications in the bytes of a stream, wherever the network split them.
 *
 * @module
 */

/** Takes the notifications that were found. */
export interface FrameSink {
  /** @param sentAtMs Time in the payload; NaN when it has none. */
  notification(sequence: number, sentAtMs: number): void
}

/** Finds notifications in `bytes`. @returns the index from which bytes must be passed again, in front of the next ones */
export type FrameScanner = (bytes: Buffer, sink: FrameSink) => number

const QUOTE = 0x22
const ZERO = 0x30
const LINE_END = 0x0a
const SENT_AT = Buffer.from('?t=')

/**
 * A scanner for notifications of one event type: CloudEvents whose id is `<event>@<sequence>`.
 *
 * @param hasTimes Whether each payload says when it was sent, as `?t=<milliseconds>` at its end.
 */
export function createFrameScanner(event: string, hasTimes: boolean): FrameScanner {
  const marker = Buffer.from(`"id":"${event}@`)
  return (bytes, sink) => {
    for (let position = 0; ;) {
      const found = bytes.indexOf(marker, position)
      if (found === -1) return unfinishedFrom(bytes, position, marker.length)
      const start = found + marker.length
      const end = bytes.indexOf(QUOTE, start)
      if (end === -1) return found
      let sentAtMs = Number.NaN
      position = end
      if (hasTimes) {
        const time = bytes.indexOf(SENT_AT, end)
        const timeEnd = time === -1 ? -1 : bytes.indexOf(QUOTE, time)
        if (timeEnd === -1) return found
        sentAtMs = Number(bytes.toString('latin1', time + SENT_AT.length, timeEnd))
        position = timeEnd
      }
      sink.notification(readDecimal(bytes, start, end), sentAtMs)
    }
  }
}

/** The index from which a marker may be incomplete; the end when the bytes end with a line. */
function unfinishedFrom(bytes: Buffer, position: number, markerLength: number): number {
  if (bytes[bytes.length - 1] === LINE_END) return bytes.length
  return Math.max(position, bytes.length - markerLength + 1)
}

/** A whole number of at most 15 digits; NaN for anything else. */
function readDecimal(bytes: Buffer, start: number, end: number): number {
  let value = end > start && end - start <= 15 ? 0 : Number.NaN
  for (let index = start; index < end; index++) {
    const digit = (bytes[index] ?? 0) - ZERO
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN
  }
  return value
}
