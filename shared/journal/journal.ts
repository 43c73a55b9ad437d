/**
 * The journal: one key per event type. Every publish rewrites it, under the guard that it has not changed since. Its value describes the
 * published batch. Its history (the value at every old revision) is the index from sequence numbers and dates to revisions, and the record
 * of ids.
 *
 * Flow: ingest → **journal** → store → hub → listener
 *
 * @module
 */

import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import type { KeyRange } from '#shared/store/store.ts'

/** The prefix of the service's own keys. No client reads or writes them by any route, except that relays read {@link RELAYED_RANGES}. */
export const INTERNAL_PREFIX = '/_aviso/'

/** Prefix of all journal keys. */
export const JOURNAL_PREFIX = '/_aviso/journal/'

/** Prefix of the documents that say which notifications operators have removed. */
export const REMOVED_PREFIX = '/_aviso/removed/'

/**
 * The own keys that the hub of a relay must read: sequence numbers and dates, removals, and the epoch of the store. No other client gets
 * any own key.
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

/** Prefix of the keys of waiting ingests. */
export const WAITING_PREFIX = '/_aviso/waiting/'

/** The key that an ingest writes when it loses the race for the journal of an event type again. The other ingests then take turns with it. */
export function waitingKey(event: string): string {
  return WAITING_PREFIX + event
}

/**
 * What JSON value a payload was, where its stored value does not tell: `text` for text that could be taken for something else, `json` for a
 * number or a boolean, `empty` for the empty text.
 */
export type PayloadKind = (typeof PAYLOAD_KINDS)[number]
export const PAYLOAD_KINDS = ['text', 'json', 'empty'] as const

/** One notification of a batch. */
export interface JournalEvent {
  /** Store key of the notification. */
  readonly key: string
  /** Dense number per event type, from 1 (exact to 2^53: 9 × 10^15 notifications). */
  readonly seq: number
  readonly id: string
  readonly source: string
  /** Fingerprint of the payload, to distinguish a repeated POST from a reused id. */
  readonly hash: string
  /** CloudEvents `time` as given. */
  readonly time?: string | undefined
  readonly traceparent?: string | undefined
  readonly payload?: PayloadKind | undefined
  /** Fields of the request that the key does not hold: field name → canonical text. */
  readonly fields?: Readonly<Record<string, string>> | undefined
}

/**
 * Most notifications in a revision. A transaction of several event types takes some milliseconds then, and a reader that must leave room for
 * what it does not see need not make more.
 */
export const MAX_REVISION_NOTIFICATIONS = 1_024

/** The value of a journal key. */
export interface JournalBatch {
  /** Unique id of the transaction. After an unknown outcome, an ingest recognises its own write by it. */
  readonly batch: string
  /** When the ingest built the batch: RFC 3339 UTC with milliseconds, never earlier than in the batch before. */
  readonly at: string
  /** The `mod_revision` of the journal that guarded this batch; "0" for the first batch. Decimal text. */
  readonly prev: string
  /** Sequence number of the first event. */
  readonly first_seq: number
  readonly events: readonly JournalEvent[]
  /** The base keys whose status documents were written, too. Only where several ingests publish the event type. */
  readonly bases?: readonly string[]
  /** Whether the ingest that wrote this lets another one go first. */
  readonly ends_turn?: boolean
  /**
   * Room for notifications of other event types before these in the same revision, because one transaction may carry several event types.
   * Those that did not apply leave theirs empty. Absent: none, as where the transaction carries one event type only. Below
   * {@link MAX_REVISION_NOTIFICATIONS}.
   */
  readonly place?: number
}
