/**
 * The trace book: what this process knows of the way of recent notifications. What is older is in the journal, without these times.
 *
 * @module
 */

/** Times of one notification, milliseconds since 1970. Absent: not seen by this process, or too long ago. */
export interface NotificationTimes {
  /** When it was handed to the publisher, valid. */
  readonly acceptedAt?: number
  /** When its commit was known. */
  readonly committedAt?: number
  /** When the hub saw it. */
  readonly seenAt?: number
  /** Streams it went to at that moment. */
  readonly listeners?: number
}

/** Recent notifications. */
export interface TraceBook {
  committed(
    event: string,
    sequence: number,
    times: { readonly acceptedAt: number; readonly committedAt: number },
  ): void
  seen(event: string, sequence: number, what: { readonly seenAt: number; readonly listeners: number }): void
  find(event: string, sequence: number): NotificationTimes
}

/** Notifications kept per event type: a minute of a busy centre, and 640 KiB. */
const KEPT = 16_384
/** Event types with a page: schemas have a handful. */
const MAX_EVENTS = 32
/** Fields of one line: sequence number, then the four of {@link NotificationTimes}; 0 for unknown, listeners plus one. */
const WIDTH = 5

/** An empty book. Its pages are made when an event type first appears, and written over and over. */
export function createTraceBook(): TraceBook {
  const pages = new Map<string, Float64Array>()

  const lineOf = (event: string, sequence: number): { page: Float64Array; at: number } | undefined => {
    let page = pages.get(event)
    if (page === undefined) {
      if (pages.size >= MAX_EVENTS) return undefined
      page = new Float64Array(KEPT * WIDTH)
      pages.set(event, page)
    }
    const at = (sequence % KEPT) * WIDTH
    const known = page[at] ?? 0
    // A line of an older notification is taken; one of a newer is left alone.
    if (known > sequence) return undefined
    if (known < sequence) {
      page.fill(0, at, at + WIDTH)
      page[at] = sequence
    }
    return { page, at }
  }
  return {
    committed(event, sequence, { acceptedAt, committedAt }) {
      const line = lineOf(event, sequence)
      if (line === undefined) return
      line.page[line.at + 1] = acceptedAt
      line.page[line.at + 2] = committedAt
    },
    seen(event, sequence, { seenAt, listeners }) {
      const line = lineOf(event, sequence)
      if (line === undefined) return
      line.page[line.at + 3] = seenAt
      line.page[line.at + 4] = listeners + 1
    },
    find(event, sequence) {
      const page = pages.get(event)
      const at = (sequence % KEPT) * WIDTH
      if (page === undefined || page[at] !== sequence) return {}
      const [, acceptedAt = 0, committedAt = 0, seenAt = 0, listeners = 0] = page.subarray(at, at + WIDTH)
      return {
        ...(acceptedAt > 0 && { acceptedAt, committedAt }),
        ...(seenAt > 0 && { seenAt, listeners: listeners - 1 }),
      }
    },
  }
}
