/**
 * Reads and writes the document that says which notifications of an event type were removed.
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
 * Reads the document, with a guard for the next write: it holds while the document is unchanged.
 *
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that is not such a document, and what the store throws.
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

/** The operation that writes the document. */
export function putRemoved(event: string, removed: Removed): StoreOperation {
  return { kind: 'put', key: toBytes(removedKey(event)), value: encodeRemoved(removed) }
}
