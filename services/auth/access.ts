/**
 * The policy: which of the keys asked for a principal gets to see. A pure function over byte intervals.
 *
 * @module
 */

import type { Principal } from '#services/auth/authorise.ts'
import { AvisoError } from '#shared/errors.ts'
import {
  ALL_KEYS,
  covers,
  intersect,
  normalise,
  subtract,
  toInterval,
  type IntervalSet,
} from '#shared/interval/interval.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'
import { prefixRange } from '#shared/store/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

const INTERNAL: IntervalSet = [toInterval(prefixRange(INTERNAL_PREFIX))]

/** The keys a principal may see: what it is allowed, never anything of the service itself. */
export function visibleKeys({ allowed }: Principal): IntervalSet {
  const granted = allowed === 'everything' ? ALL_KEYS : normalise(allowed.map(toInterval))
  return subtract(granted, INTERNAL)
}

/**
 * The part of the requested keys that a principal may see; a request that reaches further is narrowed, as 1.x clients expect.
 *
 * @throws {AvisoError} `ERR_FORBIDDEN` when nothing is left.
 */
export function narrowToVisible(principal: Principal, requested: KeyRange): IntervalSet {
  const effective = intersect(normalise([toInterval(requested)]), visibleKeys(principal))
  if (effective.length === 0) throw forbidden()
  return effective
}

/**
 * Lets a request through only if the principal may see every one of the requested keys.
 *
 * @throws {AvisoError} `ERR_FORBIDDEN` otherwise.
 */
export function requireVisible(principal: Principal, requested: readonly KeyRange[]): void {
  if (!covers(visibleKeys(principal), normalise(requested.map(toInterval)))) throw forbidden()
}

/**
 * The part of visible keys that streams carry: notifications and status documents. Nothing else is ever delivered, so a watch of other
 * keys would be silent for ever.
 *
 * @param roots - Prefixes of what streams carry.
 * @throws {AvisoError} `ERR_BAD_REQUEST` when nothing is left.
 */
export function narrowToFollowed(visible: IntervalSet, roots: readonly string[]): IntervalSet {
  const followed = intersect(visible, normalise(roots.map((root) => toInterval(prefixRange(root)))))
  if (followed.length > 0) return followed
  throw new AvisoError('ERR_BAD_REQUEST', `Only keys under ${roots.join(', ')} can be watched`, {
    details: { field: 'key' },
  })
}

function forbidden(): AvisoError {
  // The text 1.x clients show to their users.
  return new AvisoError('ERR_FORBIDDEN', 'User not allowed to access the resource')
}
