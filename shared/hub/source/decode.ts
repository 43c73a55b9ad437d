/**
 * Decodes one revision: it joins each notification key with the journal entry that describes it. A journal is the key of an event type that
 * each publish updates; it holds the ids, sequence numbers and times of the published batch.
 *
 * Flow: store → **decode** → hub → auth → listener
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { parseJournal } from '#shared/journal/codec.ts'
import {
  INTERNAL_PREFIX,
  JOURNAL_PREFIX,
  RELAYED_RANGES,
  type JournalEvent,
} from '#shared/journal/journal.ts'
import type { Notification, NotificationRequest } from '#shared/notification/notification.ts'
import { compareBytes, isInRange, prefixEnd, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyRange, Revision, StoreEvent } from '#shared/store/store.ts'
import type { Logger } from '#shared/logger.ts'
import { createEntry, type Entry } from './entry.ts'

/** The part of the schemas that the hub needs. */
export interface KeyDecoder {
  /** Event type and request of a notification key; `undefined` for every other key. */
  decodeKey(key: string): { readonly event: string; readonly request: NotificationRequest } | undefined
}

export interface DecoderParts {
  readonly schemas: KeyDecoder
  /** Prefixes of the keys that may be delivered to listeners. */
  readonly roots: readonly string[]
  readonly logger: Logger
}

/** Decodes one whole revision. */
export type Decoder = (revision: Revision, events: readonly StoreEvent[]) => Entry

type Writable = { -readonly [Field in keyof Notification]: Notification[Field] }

/** What the journal says about one notification. */
interface Described {
  readonly event: string
  readonly committedAt: string
  readonly entry: JournalEvent
  /** Index among the notifications of the revision. */
  readonly place: number
}

/**
 * The smallest range that holds all roots and all internal keys (the hull). One watch over it delivers a revision whole, with a journal
 * entry beside its notifications. Separate watches would deliver them separately.
 */
export function hullOf(roots: readonly string[]): KeyRange & { readonly end: Uint8Array } {
  const prefixes = [INTERNAL_PREFIX, ...roots].map(toBytes).toSorted(compareBytes)
  const ends = prefixes.map(prefixEnd).toSorted(compareBytes)
  // The end of all keys is written as the byte 0, which sorts first.
  const endless = ends.find((end) => end.length === 1 && end[0] === 0)
  return {
    key: prefixes[0] ?? toBytes(INTERNAL_PREFIX),
    end: endless ?? ends.at(-1) ?? prefixEnd(toBytes(INTERNAL_PREFIX)),
  }
}

export function createDecoder({ schemas, roots, logger }: DecoderParts): Decoder {
  return (revision, events) => {
    const journal = new Map<string, Described>()
    const kept: StoreEvent[] = []
    const texts: string[] = []
    const relayed: StoreEvent[] = []
    for (const event of events) {
      const key = toText(event.kv.key)
      if (key.startsWith(INTERNAL_PREFIX)) {
        if (key.startsWith(JOURNAL_PREFIX)) describe(event, key, journal)
        // All of them are internal.
        if (RELAYED_RANGES.some((range) => isInRange(event.kv.key, range))) relayed.push(event)
        continue
      }
      if (!roots.some((root) => key.startsWith(root))) continue
      kept.push(event)
      texts.push(key)
    }
    const notifications: (Notification | undefined)[] = []
    for (const [place, event] of kept.entries()) {
      const key = texts[place] ?? ''
      const decoded = event.kind === 'put' ? schemas.decodeKey(key) : undefined
      if (decoded === undefined) continue
      const described = journal.get(key)
      // A relay may see only a part of a revision. Hidden notifications keep their places, because positions count all of them.
      while (notifications.length < (described?.place ?? 0)) notifications.push(undefined)
      const notification: Writable = {
        revision,
        index: notifications.length,
        event: decoded.event,
        key,
        request: decoded.request,
        value: event.kv.value,
      }
      if (described?.event === decoded.event) complete(notification, described)
      notifications.push(notification)
    }
    return createEntry({ revision, events: kept, relayed, notifications })
  }

  function describe({ kind, kv }: StoreEvent, key: string, journal: Map<string, Described>): void {
    if (kind !== 'put') return
    try {
      const batch = parseJournal(kv.value, key)
      const event = key.slice(JOURNAL_PREFIX.length)
      const { at, place = 0 } = batch
      for (const [index, entry] of batch.events.entries()) {
        journal.set(entry.key, { event, committedAt: at, entry, place: place + index })
      }
    } catch (error) {
      // Its notifications are still delivered, like those of another writer.
      logger('error', 'A journal could not be read', {
        key,
        code: isAvisoError(error) ? error.code : 'ERR_INTERNAL',
      })
    }
  }
}

/** Adds what the journal says. Joining objects would take as long as the rest of decoding. */
function complete(notification: Writable, { committedAt, entry }: Described): void {
  notification.sequence = BigInt(entry.seq)
  notification.id = entry.id
  notification.source = entry.source
  notification.committedAt = committedAt
  if (entry.time !== undefined) notification.time = entry.time
  if (entry.traceparent !== undefined) notification.traceparent = entry.traceparent
  if (entry.payload !== undefined) notification.payloadKind = entry.payload
  if (entry.fields === undefined) return
  notification.request = { ...notification.request, ...entry.fields }
  notification.unkeyed = entry.fields
}
