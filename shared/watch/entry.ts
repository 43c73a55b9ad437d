/**
 * Entries of the ring: what one revision of the store means to listeners, decoded once for all of them.
 *
 * @module
 */

import type { Notification } from '#shared/notification/notification.ts'
import type { Revision, StoreEvent } from '#shared/store/store.ts'

/** One whole revision. */
export interface Entry {
  readonly revision: Revision
  /** Events of the keys under the roots, in the order they were written. */
  readonly events: readonly StoreEvent[]
  /** Those of them that are notifications. */
  readonly notifications: readonly Notification[]
  /** Estimate of the memory it takes, encoded frames not counted. */
  readonly bytes: number
}

/** Objects, strings and headers of typed arrays that come with every event, measured at 0.4–0.7 kB in V8. */
const EVENT_OVERHEAD_BYTES = 600

/** Memory that the events of a revision take: bytes of key and value, the key once more as text and its fields as text. */
export function sizeOfEvents(events: readonly StoreEvent[]): number {
  let bytes = EVENT_OVERHEAD_BYTES
  for (const { kv } of events) bytes += EVENT_OVERHEAD_BYTES + 3 * kv.key.length + kv.value.length
  return bytes
}
