/**
 * A store of which some revisions are damaged.
 *
 * @module
 */

import { KeyDamaged } from '#shared/errors.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { Revision, Store } from '#shared/store/store.ts'

/** A store whose reads fail where they come to a value of these revisions. The set may change. */
export function damagedAt(store: Store, damaged: ReadonlySet<Revision>): Store {
  return {
    ...store,
    range: async (request, options) => {
      const result = await store.range(request, options)
      const found = result.kvs.find(({ modRevision }) => damaged.has(modRevision))
      if (found === undefined) return result
      const { key, modRevision: revision } = found
      throw new KeyDamaged('As the test says', { key, name: toText(key), revision })
    },
  }
}
