/**
 * Entries for tests of the hub's parts.
 *
 * @module
 */

import type { Notification, NotificationRequest } from '#shared/notification/notification.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { Revision, StoreEvent } from '#shared/store/store.ts'
import type { Decoder } from '#shared/hub/source/decode.ts'
import { createEntry, type Encoding, type Entry } from '#shared/hub/source/entry.ts'

/** A put of a key; its value is the key itself. */
export function putEvent(key: string, revision: Revision, value = key): StoreEvent {
  const kv = {
    key: toBytes(key),
    value: toBytes(value),
    createRevision: revision,
    modRevision: revision,
    version: 1n,
    lease: 0n,
  }
  return { kind: 'put', kv }
}

/** An entry of notifications, each given by its event type and request. */
export function entryOf(
  revision: Revision,
  ...notified: readonly (readonly [event: string, request: NotificationRequest])[]
): Entry {
  const notifications = notified.map(([event, request], index): Notification => {
    const key = `/${event}/${Object.values(request).join('/')}`
    return { revision, index, event, key, request, value: toBytes('value') }
  })
  const events = notifications.map(({ key }) => putEvent(key, revision))
  return createEntry({ revision, events, relayed: [], notifications })
}

/** Decodes what {@link entryOf} makes of the event types `a` and `b`, whose requests have one field. */
export const decode: Decoder = (revision, events) =>
  createEntry({
    revision,
    events,
    relayed: [],
    notifications: events.map(({ kv }, index) => {
      const key = toText(kv.key)
      const [, event = '', name = ''] = key.split('/')
      return { revision, index, event, key, request: { name }, value: toBytes('value') }
    }),
  })

/** Frames of a given length, and a count of how many were made. */
export function countingEncoding(length: number, key = 'test'): Encoding & { made: number } {
  const encoding = {
    key,
    made: 0,
    encode: ({ revision }: Entry, place: number): Uint8Array => {
      encoding.made++
      return new Uint8Array(length).fill(Number(revision) * 10 + place)
    },
  }
  return encoding
}
