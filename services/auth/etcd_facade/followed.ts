/**
 * What streams carry: notifications and status documents, and nothing else of a store.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { intersect, normalise, toInterval, type IntervalSet } from '#shared/access/interval.ts'
import { prefixRange } from '#shared/bytes/bytes.ts'

/** The part of visible keys that streams carry. @param roots Prefixes of what streams carry. */
export function followedAmong(visible: IntervalSet, roots: readonly string[]): IntervalSet {
  return intersect(visible, normalise(roots.map((root) => toInterval(prefixRange(root)))))
}

/**
 * Nothing else is ever delivered, so a watch of other keys would be silent for ever.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` when nothing is left.
 */
export function requireFollowed(followed: IntervalSet, roots: readonly string[]): void {
  if (followed.length > 0) return
  throw new AvisoError('ERR_BAD_REQUEST', `Only keys under ${roots.join(', ')} can be watched`, {
    details: { field: 'key' },
  })
}
