/**
 * "May I see this": one pure function over byte intervals.
 *
 * Flow: identity → grants → **access** → hub, store
 *
 * @module
 */

import {
  contains,
  covers,
  intersect,
  normalise,
  subtract,
  toInterval,
  type IntervalSet,
} from '../interval.ts'
import { INTERNAL_PREFIX, RELAYED_RANGES } from '#shared/journal/journal.ts'
import { compareBytes, joinBytes, prefixEnd, prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

/** What may be seen of what was asked for. */
export type AccessDecision =
  | { readonly kind: 'whole'; readonly effective: IntervalSet }
  /** A part only. Who asks by our own API is refused; a 1.x client gets the part where {@link mayNarrow} says so. */
  | { readonly kind: 'narrowed'; readonly effective: IntervalSet }
  | { readonly kind: 'refused' }

const INTERNAL: IntervalSet = [toInterval(prefixRange(INTERNAL_PREFIX))]
const SLASH = toBytes('/')

/** Those of the service's own keys that another hub needs. */
const RELAYED: IntervalSet = normalise(RELAYED_RANGES.map(toInterval))

/** The keys among these that a relay is given besides what it may see. */
export function relayedAmong(requested: IntervalSet): IntervalSet {
  return intersect(requested, RELAYED)
}

/** The keys among these that a listener may ever see: none of the service's own. */
export function withoutInternal(keys: IntervalSet): IntervalSet {
  return subtract(keys, INTERNAL)
}

/**
 * Decides. The service's own keys are as if they were not there: nobody gets them, and a range across them reaches no farther for it.
 *
 * @param requested Normalised.
 * @param granted Normalised.
 */
export function decideAccess(requested: IntervalSet, granted: IntervalSet): AccessDecision {
  const wanted = withoutInternal(requested)
  if (wanted.length > 0 && covers(granted, wanted)) return { kind: 'whole', effective: wanted }
  const effective = intersect(wanted, granted)
  return effective.length === 0 ? { kind: 'refused' } : { kind: 'narrowed', effective }
}

/**
 * Whether a range is what a 1.x client asks for a prefix it may see: `/ec/diss/FOO` up to `/ec/diss/FOP` means FOO's keys and includes
 * FOOBAR's by the arithmetic of prefixes alone. Every other range that reaches too far was made to reach too far.
 */
export function mayNarrow({ key, end }: KeyRange, granted: IntervalSet): boolean {
  if (end === undefined || compareBytes(end, prefixEnd(key)) !== 0) return false
  return contains(granted, joinBytes([key, SLASH]))
}
