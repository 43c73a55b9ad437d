/**
 * The order of keys in an answer, as etcd sorts them.
 *
 * @module
 */

import { compareBytes } from '#shared/bytes/bytes.ts'
import type { KeyValue, RangeRequest } from './store.ts'

type SortTarget = NonNullable<RangeRequest['sortTarget']>

const COMPARATORS: Readonly<Record<SortTarget, (a: KeyValue, b: KeyValue) => number>> = {
  KEY: (a, b) => compareBytes(a.key, b.key),
  VERSION: (a, b) => compareIntegers(a.version, b.version),
  CREATE: (a, b) => compareIntegers(a.createRevision, b.createRevision),
  MOD: (a, b) => compareIntegers(a.modRevision, b.modRevision),
  VALUE: (a, b) => compareBytes(a.value, b.value),
}

/** Whether the keys are asked for in the order in which a store has them. */
export function isKeyOrder({ sortOrder = 'NONE', sortTarget = 'KEY' }: RangeRequest): boolean {
  return sortTarget === 'KEY' && sortOrder !== 'DESCEND'
}

/** Compares two keys in the order that is asked for. Without an order, etcd sorts by other targets than the key in ascending order. */
export function keyOrder({
  sortOrder,
  sortTarget = 'KEY',
}: RangeRequest): (a: KeyValue, b: KeyValue) => number {
  const compare = COMPARATORS[sortTarget]
  return sortOrder === 'DESCEND' ? (a, b) => compare(b, a) : compare
}

function compareIntegers(a: bigint, b: bigint): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
