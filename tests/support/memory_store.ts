/**
 * The embedded store on a database in memory: the store of tests that do not care which one it is.
 *
 * @module
 */

import { openSqlite } from '#shared/runtime/sqlite.ts'
import { openEmbeddedStore, type EmbeddedStoreParts } from '#shared/store/embedded/store.ts'
import type { Store } from '#shared/store/store.ts'

/** Opens an empty store. Its data end with it. */
export function createMemoryStore(parts: EmbeddedStoreParts): Store {
  return openEmbeddedStore(openSqlite(':memory:'), parts)
}
