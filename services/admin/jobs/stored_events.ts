/**
 * Finds the event types that there may be notifications of.
 *
 * @module
 */

import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import { JOURNAL_PREFIX } from '#shared/journal/journal.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { CallOptions, Store } from '#shared/store/store.ts'

/**
 * All event types: those with a schema, and in permissive mode those that something was published of.
 *
 * @throws {AvisoError} What the store throws.
 */
export async function storedEvents(
  store: Store,
  schemas: Schemas,
  options?: CallOptions,
): Promise<readonly string[]> {
  if (!schemas.isPermissive) return schemas.events
  const { kvs } = await store.range({ ...prefixRange(JOURNAL_PREFIX), keysOnly: true }, options)
  const stored = kvs.map(({ key }) => toText(key).slice(JOURNAL_PREFIX.length))
  return [
    ...schemas.events,
    ...stored.filter((event) => !schemas.events.includes(event) && schemas.get(event)),
  ]
}
