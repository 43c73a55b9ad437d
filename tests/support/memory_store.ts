/**
 * The embedded store on a database in memory: the store of tests that do not care which one it is.
 *
 * @module
 */

import { after } from 'node:test'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { openEmbeddedStore, type EmbeddedStoreParts } from '#shared/store/embedded/store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

/** Opens an empty store. Its data end with it. */
export function createMemoryStore(parts: EmbeddedStoreParts): Store {
  return openEmbeddedStore(openSqlite(':memory:'), parts)
}

/** Makes empty stores for the tests of a file, which are closed after them. */
export function createMemoryStores(): () => Store {
  const stores: Store[] = []
  after(() => Promise.all(stores.map((store) => store.close())))
  return () => {
    const store = createMemoryStore({ clock: systemClock })
    stores.push(store)
    return store
  }
}
