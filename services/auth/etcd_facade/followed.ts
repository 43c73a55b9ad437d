/**
 * Limits watches to the keys that streams deliver: notifications and status documents, and nothing else in the store.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { intersect, normalise, toInterval, type IntervalSet } from '#shared/access/interval.ts'
import { prefixRange } from '#shared/bytes/bytes.ts'

/** The visible keys that streams deliver. @param roots Prefixes of all keys that streams deliver. */
export function followedAmong(visible: IntervalSet, roots: readonly string[]): IntervalSet {
  return intersect(visible, normalise(roots.map((root) => toInterval(prefixRange(root)))))
}

/**
 * Refuses a watch of other keys, because it would stay silent for ever.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` when nothing is left.
 */
export function requireFollowed(followed: IntervalSet, roots: readonly string[]): void {
  if (followed.length > 0) return
  throw new AvisoError('ERR_BAD_REQUEST', `Only keys under ${roots.join(', ')} can be watched`, {
    details: { field: 'key' },
  })
}
