/**
 * The journal: one key per event type that every publish rewrites under a guard. Its value describes the batch; its history
 * (the value at every old revision) is the index from sequence numbers and dates to revisions, and the record of ids.
 *
 * Flow: ingest → **journal** → store → hub → listener
 *
 * @module
 */

import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

/** Everything under this prefix is ours: no client reads or writes it by any route, but for {@link RELAYED_RANGES}. */
export const INTERNAL_PREFIX = '/_aviso/'

/** Prefix of all journal keys. */
export const JOURNAL_PREFIX = '/_aviso/journal/'

/** Random text written once per store; cursors carry it, because etcd's own cluster id survives a wipe. */
export const EPOCH_KEY = '/_aviso/epoch'

/** Prefix of the documents that say what operators took out. */
export const REMOVED_PREFIX = '/_aviso/removed/'

/**
 * What another hub must read of ours in order to stand on this one, and the only part that anybody is ever given: numbers and dates, what
 * was removed, and which store it is.
 */
export const RELAYED_RANGES: readonly KeyRange[] = [
  { key: toBytes(EPOCH_KEY) },
  prefixRange(JOURNAL_PREFIX),
  prefixRange(REMOVED_PREFIX),
]

/** Store key of the journal of one event type. */
export function journalKey(event: string): string {
  return JOURNAL_PREFIX + event
}

/** Store key that an ingest writes when it keeps losing the race for the journal of an event type: the others then let it pass. */
export function waitingKey(event: string): string {
  return `${INTERNAL_PREFIX}waiting/${event}`
}

/** One notification of a batch. */
export interface JournalEvent {
  /** Store key of the notification. */
  readonly key: string
  /** Dense number per event type, from 1 (exact to 2^53: 9 × 10^15 notifications). */
  readonly seq: number
  readonly id: string
  readonly source: string
  /** Fingerprint of the stored value, to tell a repeated POST from a reused id. */
  readonly hash: string
  /** CloudEvents `time` as given. */
  readonly time?: string | undefined
  readonly traceparent?: string | undefined
}

/** The value of a journal key. */
export interface JournalBatch {
  /** Unique id of the transaction: how an ingest recognises its own write after an unknown outcome. */
  readonly batch: string
  /** When the ingest built the batch: RFC 3339 UTC with milliseconds, never before its predecessor's. */
  readonly at: string
  /** `mod_revision` of the journal that this batch was guarded by; "0" for the first. Decimal text. */
  readonly prev: string
  /** Sequence number of the first event. */
  readonly first_seq: number
  readonly events: readonly JournalEvent[]
}
