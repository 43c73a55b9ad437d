/**
 * Applies retention by count and by size: the newest notifications of an event type stay.
 *
 * @module
 */

import type { Schemas } from '#shared/notification/schema.ts'
import { createRankSearch, type OldestKeys } from '#shared/retention/rank_search.ts'
import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import type { KeyRange, KeyValue, Revision } from '#shared/store/store.ts'
import { walkKeys, type WalkParts } from './walk_keys.ts'

export interface CountLimitParts extends WalkParts {
  readonly schemas: Schemas
  /** Deletes keys. */
  readonly remove: (kvs: readonly KeyValue[]) => Promise<void>
}

/** The limits of one event type. */
export interface CountLimit {
  readonly event: string
  /** Most notifications to keep; absent: any number. */
  readonly count?: number | undefined
  /** Most bytes of their keys and values; absent: any number. */
  readonly bytes?: number | undefined
  /** The store's revision. Later writes are not looked at. */
  readonly head: Revision
}

/** Deletes the notifications beyond the limits that were written longest ago. Takes a few passes over all keys when there are too many. */
export async function limitCount(parts: CountLimitParts, limit: CountLimit): Promise<void> {
  const { schemas, store, signal } = parts
  const { event, count, bytes, head } = limit
  const range = prefixRange(schemas.require(event).formats.key.literals[0] ?? '')
  if (count !== undefined) {
    // The store counts first, which is cheap. Its count may include keys of other event types, so it is never too low.
    const most = (await store.range({ ...range, countOnly: true }, { signal })).count
    if (most > BigInt(count)) await limitTo(parts, { event, range, head, most: count, weigh: () => 1 })
  }
  if (bytes !== undefined)
    await limitTo(parts, { event, range, head, most: bytes, weigh: sizeOf, withValues: true })
}

function sizeOf({ key, value }: KeyValue): number {
  return key.length + value.length
}

interface Limit {
  readonly event: string
  readonly range: Required<KeyRange>
  readonly head: Revision
  /** Most that all notifications may weigh together. */
  readonly most: number
  readonly weigh: (kv: KeyValue) => number
  /** Whether a value is needed to weigh it. */
  readonly withValues?: boolean
}

async function limitTo(parts: CountLimitParts, limit: Limit): Promise<void> {
  const { schemas } = parts
  const { event, range, head, most, weigh, withValues = false } = limit
  const walk = (visit: (kv: KeyValue) => void, endOfPage?: () => Promise<void>): Promise<void> =>
    walkKeys({ ...parts, withValues: withValues || endOfPage !== undefined }, range, async (kvs) => {
      for (const kv of kvs) {
        if (kv.modRevision <= head && schemas.decodeKey(toText(kv.key))?.event === event) visit(kv)
      }
      await endOfPage?.()
      return undefined
    })
  let total = 0
  await walk((kv) => (total += weigh(kv)))
  if (total <= most) return
  const oldest = await findOldest(total - most, limit, walk)
  const chosen: KeyValue[] = []
  let alsoAt = oldest.alsoAt
  const choose = (kv: KeyValue): void => {
    if (kv.modRevision === oldest.before && alsoAt > 0) alsoAt -= weigh(kv)
    else if (kv.modRevision >= oldest.before) return
    chosen.push(kv)
  }
  await walk(choose, () => parts.remove(chosen.splice(0)))
}

async function findOldest(
  excess: number,
  { head, weigh }: Limit,
  walk: (visit: (kv: KeyValue) => void) => Promise<void>,
): Promise<OldestKeys> {
  const search = createRankSearch(excess, head)
  for (;;) {
    await walk((kv) => {
      search.observe(kv.modRevision, weigh(kv))
    })
    const found = search.endPass()
    if (found !== undefined) return found
  }
}
