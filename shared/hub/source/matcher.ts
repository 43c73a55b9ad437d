/**
 * Matchers: a matcher decides what a stream takes of an entry.
 *
 * @module
 */

import { isInRange } from '#shared/bytes/bytes.ts'
import { satisfies } from '#shared/notification/match.ts'
import type { FieldCondition, Notification } from '#shared/notification/notification.ts'
import type { KeyRange, StoreEvent } from '#shared/store/store.ts'
import type { Entry } from './entry.ts'

/** A field and what it must satisfy. */
export type Predicate = readonly [field: string, condition: FieldCondition]

/** What a stream takes of an entry. */
export type Matcher =
  /** Each notification of one event type that satisfies all predicates. */
  | {
      readonly kind: 'notifications'
      readonly event: string
      readonly predicates: readonly Predicate[]
      /** Whether an operator has removed the notification since it was stored. */
      readonly isRemoved?: IsRemoved | undefined
    }
  /** The revision as a whole, when an event lies in one of the ranges. */
  | { readonly kind: 'ranges'; readonly ranges: readonly KeyRange[]; readonly relayed: readonly KeyRange[] }

/** Whether a notification is no longer delivered. */
export type IsRemoved = (notification: Notification) => boolean

/** The events of an entry that ranges take. */
export function takenEvents(
  { ranges, relayed }: Extract<Matcher, { kind: 'ranges' }>,
  entry: Pick<Entry, 'events' | 'relayed'>,
): readonly StoreEvent[] {
  const taken = entry.events.filter(({ kv }) => isInRanges(ranges, kv.key))
  return relayed.length === 0
    ? taken
    : [...entry.relayed.filter(({ kv }) => isInRanges(relayed, kv.key)), ...taken]
}

/** Whether a key lies in any of the ranges. */
export function isInRanges(ranges: readonly KeyRange[], key: Uint8Array): boolean {
  return ranges.some((range) => isInRange(key, range))
}

/**
 * The first place of an entry, from `from` on, that a matcher takes: the index of a notification, or 0 for the whole revision.
 *
 * @returns the place, or -1 without one.
 */
export function nextMatch(matcher: Matcher, entry: Entry, from: number): number {
  if (matcher.kind === 'ranges') {
    const { ranges, relayed } = matcher
    const isTaken =
      entry.events.some(({ kv }) => isInRanges(ranges, kv.key)) ||
      entry.relayed.some(({ kv }) => isInRanges(relayed, kv.key))
    return from === 0 && isTaken ? 0 : -1
  }
  const { event, predicates, isRemoved } = matcher
  const { notifications } = entry
  for (let place = from; place < notifications.length; place++) {
    const notification = notifications[place]
    if (notification?.event !== event || !satisfies(predicates, notification.request)) continue
    if (isRemoved?.(notification) !== true) return place
  }
  return -1
}
