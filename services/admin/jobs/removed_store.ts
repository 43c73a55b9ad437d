/**
 * Reads and writes what is removed of an event type.
 *
 * @module
 */

import {
  NOTHING_REMOVED,
  encodeRemoved,
  parseRemoved,
  removedKey,
  type Removed,
} from '#shared/journal/removed.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { CallOptions, Compare, Store, StoreOperation } from '#shared/store/store.ts'

/**
 * What is removed, with the guard that it stays so.
 *
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a foreign document, and what the store throws.
 */
export async function readRemoved(
  store: Store,
  event: string,
  options?: CallOptions,
): Promise<{ readonly removed: Removed; readonly guard: Compare }> {
  const key = toBytes(removedKey(event))
  const [kv] = (await store.range({ key }, options)).kvs
  return {
    removed: kv === undefined ? NOTHING_REMOVED : parseRemoved(kv.value, event),
    guard: { key, target: 'MOD', result: 'EQUAL', value: kv?.modRevision ?? 0n },
  }
}

/** Writes it. */
export function putRemoved(event: string, removed: Removed): StoreOperation {
  return { kind: 'put', key: toBytes(removedKey(event)), value: encodeRemoved(removed) }
}
