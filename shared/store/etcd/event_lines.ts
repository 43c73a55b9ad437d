/**
 * Takes long lines of a gateway's watch apart between two events, so that events can be read before their line has ended.
 *
 * Without `fragment`, etcd puts up to a thousand revisions into a message: up to hundreds of megabytes in one line. In parts, a line needs
 * little memory, its first event waits for no other, and parsing holds up nobody.
 *
 * @module
 */

import { joinBytes, toBytes } from '#shared/bytes/bytes.ts'
import type { LineCut } from '#shared/bytes/lines.ts'

/** Some hundred events, which are parsed in a few milliseconds. */
const PART_BYTES = 256 * 1024
/** The header of a message, and more. */
const MAX_HEAD_BYTES = 4 * 1024
/** What is before the first event. */
const EVENTS = toBytes('"events":[')
/** What is between two events. Nothing else of a message looks like this, because its bytes are base64. */
const SEAM = toBytes('}},{')
/** Bytes of {@link SEAM} that belong to the event before it. */
const SEAM_END = 2
/** Ends a part as etcd ends a fragment: the last revision goes on in the next one. */
const PART_END = toBytes('],"fragment":true}}')

/** Cuts a line `{"result":{…,"events":[…]}}` into several of that form. A line of another form stays whole. */
export const eventLineCut: LineCut = {
  bytes: PART_BYTES,
  cut: (begun) => {
    const head = find(begun.subarray(0, MAX_HEAD_BYTES), EVENTS)
    const seam = findLast(begun, SEAM)
    if (head === -1 || seam <= head) return undefined
    const begin = begun.subarray(0, head + EVENTS.length)
    const end = seam + SEAM_END
    return [joinBytes([begun.subarray(0, end), PART_END]), joinBytes([begin, begun.subarray(end + 1)])]
  },
}

function find(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let start = 0; start + wanted.length <= bytes.length; start++)
    if (isAt(bytes, start, wanted)) return start
  return -1
}

function findLast(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let start = bytes.length - wanted.length; start >= 0; start--)
    if (isAt(bytes, start, wanted)) return start
  return -1
}

function isAt(bytes: Uint8Array, start: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index++) if (bytes[start + index] !== wanted[index]) return false
  return true
}
