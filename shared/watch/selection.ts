/**
 * Selections as the hub uses them: one matcher for streams that ask for the same.
 *
 * @module
 */

import { satisfies } from '#shared/notification/match.ts'
import type { FieldCondition, Notification } from '#shared/notification/notification.ts'
import { isInRange } from '#shared/store/bytes.ts'
import type { KeyRange, StoreEvent } from '#shared/store/store.ts'
import type { Entry } from './entry.ts'
import type { Selection } from './hub.ts'

/** A field and what it must satisfy. */
export type Predicate = readonly [field: string, condition: FieldCondition]

/** What a stream takes of an entry. */
export type Matcher =
  /** Each notification of one event type that satisfies all predicates. */
  | {
      readonly kind: 'notifications'
      readonly event: string
      readonly predicates: readonly Predicate[]
      /** Whether an operator has taken it out since it was stored. */
      readonly isRemoved?: IsRemoved | undefined
    }
  /** The revision as a whole, where an event lies in one of the ranges. */
  | { readonly kind: 'ranges'; readonly ranges: readonly KeyRange[]; readonly relayed: readonly KeyRange[] }

/** Whether a notification is no longer delivered. */
export type IsRemoved = (notification: Notification) => boolean

/** Compiles a selection; a matcher keeps nothing of it but sets and functions. */
export function createMatcher(selection: Selection, isRemoved?: IsRemoved): Matcher {
  if (selection.kind === 'ranges') {
    const { ranges, relayed = [] } = selection
    return { kind: 'ranges', ranges: [...ranges], relayed: [...relayed] }
  }
  const { event, conditions } = selection.filter
  return { kind: 'notifications', event, predicates: [...conditions], isRemoved }
}

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
 * @returns -1 where there is none.
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

/** Makes texts that are the same for selections that surely take the same. */
export function createSelectionKeys(): (selection: Selection) => string {
  // Functions cannot be compared by what they do, only by which they are.
  const testNumbers = new WeakMap<object, number>()
  let lastTestNumber = 0
  const numberOf = (test: object): number => {
    const number = testNumbers.get(test) ?? ++lastTestNumber
    testNumbers.set(test, number)
    return number
  }
  return (selection) => {
    if (selection.kind === 'ranges') {
      const { ranges, relayed = [] } = selection
      return `r${JSON.stringify([ranges, relayed].map((list) => list.map(({ key, end }) => [[...key], end && [...end]])))}`
    }
    const { event, conditions } = selection.filter
    const parts = [...conditions].map(([field, condition]) => {
      const accepted = condition.kind === 'in' ? [...condition.values].toSorted() : numberOf(condition.test)
      return JSON.stringify([field, accepted])
    })
    return `n${JSON.stringify(event)}${parts.toSorted().join()}`
  }
}
