/**
 * The facade for relays. A relay is another Aviso whose hub reads from this service. It sees the store as if it held only the keys that the
 * relay may see, and those of the service's own keys that a hub needs.
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

/** All keys that a grant shows. */
export function shownKeys({ keys, relay }: Grant): IntervalSet {
  return relay === undefined ? keys : normalise([...keys, ...relay.keys])
}

/** The answer to a relay that may see none of the requested keys: the revision alone. Relays also use such reads to get the revision. */
export async function readNothing(store: Store, options: CallOptions): Promise<RangeResult> {
  const { revision } = await store.range({ key: toBytes('/'), countOnly: true }, options)
  return { revision, kvs: [], count: 0n, more: false }
}

/** How a relay sees the service's own keys. */
export interface RelayView {
  /** Views with the same name show the same things. */
  readonly name: string
  readonly keyValue: (kv: KeyValue) => KeyValue
  readonly event: (event: StoreEvent) => StoreEvent
}

/**
 * The view of a relay: journals do not name notifications that the relay may not see.
 *
 * @param roots Prefixes of all notifications. A relay that may see all of them gets the journals unchanged.
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

/** A journal without the notifications that the relay may not see; empty when the journal cannot be read. */
function redact({ key, value }: KeyValue, mayName: (key: Uint8Array) => boolean): Uint8Array {
  try {
    return redactJournal(value, toText(key), mayName)
  } catch (error) {
    if (isAvisoError(error, 'ERR_STORE_PROTOCOL')) return NO_BYTES
    throw error
  }
}
