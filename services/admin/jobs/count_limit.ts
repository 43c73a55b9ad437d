/**
 * Applies retention by count: the newest notifications of an event type stay.
 *
 * @module
 */

import type { Schemas } from '#shared/notification/schema.ts'
import { createRankSearch, type OldestKeys } from '#shared/retention/rank_search.ts'
import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import type { KeyValue, Revision } from '#shared/store/store.ts'
import { walkKeys, type WalkParts } from './walk_keys.ts'

export interface CountLimitParts extends WalkParts {
  readonly schemas: Schemas
  /** Deletes keys. */
  readonly remove: (kvs: readonly KeyValue[]) => Promise<void>
}

/** The limit of one event type. */
export interface CountLimit {
  readonly event: string
  /** Most notifications to keep. */
  readonly count: number
  /** The store's revision. Later writes are not looked at. */
  readonly head: Revision
}

/** Deletes the notifications beyond the count that were written longest ago. Takes a few passes over all keys when there are too many. */
export async function limitCount(parts: CountLimitParts, { event, count, head }: CountLimit): Promise<void> {
  const { schemas, store, signal } = parts
  const range = prefixRange(schemas.require(event).formats.key.literals[0] ?? '')
  // The store counts first, which is cheap. Its count may include keys of other event types, so it is never too low.
  const most = (await store.range({ ...range, countOnly: true }, { signal })).count
  if (most <= BigInt(count)) return
  const walk = (visit: (kv: KeyValue) => void, endOfPage?: () => Promise<void>): Promise<void> =>
    walkKeys({ ...parts, withValues: endOfPage !== undefined }, range, async (kvs) => {
      for (const kv of kvs) {
        if (kv.modRevision <= head && schemas.decodeKey(toText(kv.key))?.event === event) visit(kv)
      }
      await endOfPage?.()
      return undefined
    })
  let total = 0
  await walk(() => total++)
  if (total <= count) return
  const oldest = await findOldest(total - count, head, walk)
  const chosen: KeyValue[] = []
  let alsoAt = oldest.alsoAt
  const choose = (kv: KeyValue): void => {
    if (kv.modRevision < oldest.before || (kv.modRevision === oldest.before && alsoAt-- > 0)) chosen.push(kv)
  }
  await walk(choose, () => parts.remove(chosen.splice(0)))
}

async function findOldest(
  excess: number,
  head: Revision,
  walk: (visit: (kv: KeyValue) => void) => Promise<void>,
): Promise<OldestKeys> {
  const search = createRankSearch(excess, head)
  for (;;) {
    await walk(({ modRevision }) => search.observe(modRevision))
    const found = search.endPass()
    if (found !== undefined) return found
  }
}
