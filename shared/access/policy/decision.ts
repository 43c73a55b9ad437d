/**
 * Decides which of the requested keys a requester may see: pure functions over byte intervals.
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

/** Which of the requested keys the requester may see. */
export type AccessDecision =
  | { readonly kind: 'whole'; readonly effective: IntervalSet }
  /** Only a part. A request by our own API is refused; a 1.x client gets the part if {@link mayNarrow} allows it. */
  | { readonly kind: 'narrowed'; readonly effective: IntervalSet }
  | { readonly kind: 'refused' }

const INTERNAL: IntervalSet = [toInterval(prefixRange(INTERNAL_PREFIX))]
const SLASH = toBytes('/')

/** The service's own keys that the hub of a relay needs. */
const RELAYED: IntervalSet = normalise(RELAYED_RANGES.map(toInterval))

/** The service's own keys among the requested ones that a relay may also read. */
export function relayedAmong(requested: IntervalSet): IntervalSet {
  return intersect(requested, RELAYED)
}

/** The keys without the service's own keys, which no listener may see. */
export function withoutInternal(keys: IntervalSet): IntervalSet {
  return subtract(keys, INTERNAL)
}

/**
 * Decides. The service's own keys count as absent: no listener gets them, and a range that includes them does not reach too far because
 * of them.
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
 * Whether a range that reaches too far is the one that a 1.x client builds for a prefix it may see. `/ec/diss/FOO` up to `/ec/diss/FOP`
 * means FOO's keys; it includes FOOBAR's only because the prefix has no slash at its end. Any other such range is refused.
 */
export function mayNarrow({ key, end }: KeyRange, granted: IntervalSet): boolean {
  if (end === undefined || compareBytes(end, prefixEnd(key)) !== 0) return false
  return contains(granted, joinBytes([key, SLASH]))
}
