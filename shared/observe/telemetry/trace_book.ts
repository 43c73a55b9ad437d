/**
 * The trace book: the times at which recent notifications passed through this process. The journal, the store's record of all commits, has
 * older notifications without these times.
 *
 * @module
 */

/** Times of one notification, milliseconds since 1970. A time is absent when this process did not see it, or it is too long ago. */
export interface NotificationTimes {
  /** When the valid notification was handed to the publisher. */
  readonly acceptedAt?: number
  /** When the answer to its commit arrived. */
  readonly committedAt?: number
  /** When the hub saw it. */
  readonly seenAt?: number
  /** Number of streams to which the hub sent it. */
  readonly listeners?: number
}

/** The times of recent notifications. */
export interface TraceBook {
  committed(
    event: string,
    sequence: number,
    times: { readonly acceptedAt: number; readonly committedAt: number },
  ): void
  seen(event: string, sequence: number, what: { readonly seenAt: number; readonly listeners: number }): void
  find(event: string, sequence: number): NotificationTimes
}

/** Notifications kept per event type: a minute of a busy centre, in 640 KiB. */
const KEPT = 16_384
/** Most event types with a page. Schemas have only a few. */
const MAX_EVENTS = 32
/** Fields of one line: the sequence number and the four of {@link NotificationTimes}. 0 means unknown, so listeners are stored plus one. */
const WIDTH = 5

/** Makes an empty book. A page is made when its event type first appears, and its lines are reused. */
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
    // The line of an older notification is reused. The line of a newer notification stays.
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
