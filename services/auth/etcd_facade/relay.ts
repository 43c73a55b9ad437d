/**
 * What the facade does for relays, that is, for another Aviso whose hub stands on this one: it gets the store as if it held only what the
 * relay may see, and of our own keys those that a hub needs.
 *
 * Flow: store → hub → auth → **relay** → hub → auth → listener
 *
 * @module
 */

import type { Grant, RelayGrant } from '#shared/access/access.ts'
import { isAvisoError } from '#shared/errors.ts'
import { contains, covers, normalise, toInterval, type IntervalSet } from '#shared/access/interval.ts'
import { JOURNAL_PREFIX } from '#shared/journal/journal.ts'
import { redactJournal } from '#shared/journal/redact.ts'
import { NO_BYTES, prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { CallOptions, KeyValue, RangeResult, Store, StoreEvent } from '#shared/store/store.ts'

const JOURNALS: IntervalSet = normalise([toInterval(prefixRange(JOURNAL_PREFIX))])

/** Everything that a grant shows of the store. */
export function shownKeys({ keys, relay }: Grant): IntervalSet {
  return relay === undefined ? keys : normalise([...keys, ...relay.keys])
}

/** The answer where nothing may be seen of what a relay asked for: the revision alone, which it asks for in this way, too. */
export async function readNothing(store: Store, options: CallOptions): Promise<RangeResult> {
  const { revision } = await store.range({ key: toBytes('/'), countOnly: true }, options)
  return { revision, kvs: [], count: 0n, more: false }
}

/** How what is ours is shown to a relay. */
export interface RelayView {
  /** Views with the same name show the same. */
  readonly name: string
  readonly keyValue: (kv: KeyValue) => KeyValue
  readonly event: (event: StoreEvent) => StoreEvent
}

/**
 * The view of a relay: journals name no notification that it may not see.
 *
 * @param roots Prefixes of all notifications; who may see them all is shown journals as they are.
 */
export function createRelayView({ visible }: RelayGrant, roots: readonly string[]): RelayView {
  if (covers(visible, normalise(roots.map((root) => toInterval(prefixRange(root)))))) {
    return { name: 'whole', keyValue: (kv) => kv, event: (event) => event }
  }
  const keyValue = (kv: KeyValue): KeyValue => {
    if (kv.value.length === 0 || !contains(JOURNALS, kv.key)) return kv
    return { ...kv, value: redact(kv, (key) => contains(visible, key)) }
  }
  return {
    name: JSON.stringify(visible.map(({ start, end }) => [[...start], end && [...end]])),
    keyValue,
    event: ({ kind, kv }) => ({ kind, kv: keyValue(kv) }),
  }
}

/** What cannot be read cannot be shown in part. */
function redact({ key, value }: KeyValue, mayName: (key: Uint8Array) => boolean): Uint8Array {
  try {
    return redactJournal(value, toText(key), mayName)
  } catch (error) {
    if (isAvisoError(error, 'ERR_STORE_PROTOCOL')) return NO_BYTES
    throw error
  }
}
