/**
 * Counts what comes through the hub, by event type, for those who look at it.
 *
 * @module
 */

import type { HubObserver } from '#shared/hub/hub.ts'
import { MAX_GENERIC_EVENTS } from '#shared/notification/aviso2/generic_bound.ts'
import type { Clock } from '#shared/time/clock.ts'

/** What came of one event type since this process began. */
export interface EventActivity {
  readonly notifications: number
  /** A notification that goes to three streams counts three times. */
  readonly deliveries: number
  /** Number of the newest; absent: it had none. */
  readonly last: bigint | undefined
  /** When it came, milliseconds since 1970. */
  readonly lastAt: number
}

/** Counters, fed by the hub. */
export interface Activity extends HubObserver {
  /** By event type. Types of which nothing came are missing. */
  readonly events: ReadonlyMap<string, EventActivity>
}

/** What stands for further event types. No event type has this name. */
const OTHERS = '…'
/** Most event types that are counted each for itself: those of schemas, and in permissive mode as many as one ingest lets through. */
export const MAX_ACTIVE_EVENTS = 2 * MAX_GENERIC_EVENTS

/** Counters at zero. */
export function createActivity(clock: Pick<Clock, 'now'>): Activity {
  const events = new Map<
    string,
    { notifications: number; deliveries: number; last: bigint | undefined; lastAt: number }
  >()
  return {
    events,
    seen({ event: name, sequence }, listeners) {
      const event = events.has(name) || events.size < MAX_ACTIVE_EVENTS ? name : OTHERS
      const of = events.get(event) ?? { notifications: 0, deliveries: 0, last: undefined, lastAt: 0 }
      events.set(event, of)
      of.notifications++
      of.deliveries += listeners
      of.last = sequence ?? of.last
      of.lastAt = clock.now()
    },
  }
}
