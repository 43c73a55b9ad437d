/**
 * The ids of recent notifications of one event type, from this ingest and from others. They make publishing idempotent.
 *
 * @module
 */

/** What is known about a stored notification. */
export interface StoredItem {
  readonly key: string
  /** Fingerprint of its value. */
  readonly hash: string
  readonly revision: bigint
  readonly seq: number
  /** RFC 3339 UTC with milliseconds. */
  readonly at: string
  /** The same in milliseconds since 1970. */
  readonly atMs: number
}

/** The parts that identify a notification. */
export interface Named {
  readonly id: string
  readonly source: string
  readonly key: string
}

/**
 * The text that identifies a notification. Providers of 1.x send one constant id for everything, so an id counts together with its key. If
 * ids are strict, each must name one notification, and the key does not count.
 */
export function identityOf({ id, source, key }: Named, strictIds: boolean): string {
  // The length keeps ("a", "bc") apart from ("ab", "c"), and no key contains NUL.
  return `${source.length}:${source}${id}${strictIds ? '' : `\0${key}`}`
}

/** Remembers the last notification of each identity. */
export interface IdWindow {
  get(identity: string): StoredItem | undefined
  /** Items come in the order of their sequence numbers. */
  add(identity: string, item: StoredItem): void
}

/** A window of at most `maxItems` identities. It surely has the last `maxItems / 2`, or those of the last `maxAgeMs` if these are fewer. */
export function createIdWindow({
  maxItems,
  maxAgeMs,
}: {
  readonly maxItems: number
  readonly maxAgeMs: number
}): IdWindow {
  // Two generations: dropping half of the identities at once is free, while deleting the oldest of a Map one by one is slow.
  let young = new Map<string, StoredItem>()
  let old = new Map<string, StoredItem>()
  let youngSince = -Infinity
  return {
    get: (identity) => young.get(identity) ?? old.get(identity),
    add: (identity, item) => {
      if (young.size >= maxItems / 2 || item.atMs - youngSince > maxAgeMs) {
        old = young
        young = new Map()
        youngSince = item.atMs
      }
      young.set(identity, item)
    },
  }
}
