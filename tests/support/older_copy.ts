/**
 * An older copy of a store, as an operator puts one back: the same revisions, up to one of them.
 *
 * @module
 */

import assert from 'node:assert/strict'
import type { Revision, Store, StoreOperation } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createMemoryStore } from './memory_store.ts'

const EVERYTHING = { key: new Uint8Array([0]), end: new Uint8Array([0]) }

/** Copies a store's history, without its leases. @param through The last revision of the copy; absent: the newest. */
export async function copyOf(store: Store, through?: Revision): Promise<Store> {
  const copy = createMemoryStore({ clock: systemClock })
  const last = through ?? (await store.status()).revision
  if (last < 2n) return copy
  for await (const message of store.watch({ ...EVERYTHING, from: 2n })) {
    if (message.kind !== 'revision') continue
    const success = message.events.map(({ kind, kv }): StoreOperation =>
      kind === 'put'
        ? { kind: 'put', key: kv.key, value: kv.value }
        : { kind: 'delete', range: { key: kv.key } },
    )
    const { revision } = await copy.txn({ compare: [], success })
    assert.equal(revision, message.revision)
    if (revision >= last) break
  }
  return copy
}
