/**
 * Gives each notification of another writer, which has no number, the number of the notification before it. Formats that need a number
 * use that one.
 *
 * Flow: store → decode → **numbering** → ring → listener
 *
 * @module
 */

import { sequenceAt } from '#shared/journal/positions.ts'
import type { Notification } from '#shared/notification/notification.ts'
import type { Revision, Store, WatchMessage } from '#shared/store/store.ts'
import type { Decoder } from './decode.ts'
import type { Entry } from './entry.ts'

/** Completes the entries of one follower, which come in order and without a gap. It returns a promise only when it must ask the store. */
export type Numbering = (entry: Entry) => Entry | Promise<Entry>

/** Asks the store once for each event type that another writer uses, and never for the other types. */
export function createNumbering(store: Store): Numbering {
  /** Event type → number of its newest notification; 0n before the first; absent: unknown. */
  const newest = new Map<string, bigint>()

  async function lookUp(event: string, revision: Revision): Promise<void> {
    try {
      newest.set(event, await sequenceAt(store, event, revision))
    } catch {
      // Compacted meanwhile, or the store cannot be reached: this notification stays without a number, and the next one asks again.
    }
  }

  function complete(notification: Notification | undefined): Notification | undefined {
    if (notification === undefined) return undefined
    const { event, sequence } = notification
    if (sequence !== undefined) {
      newest.set(event, sequence)
      return notification
    }
    const preceding = newest.get(event) ?? 0n
    return preceding === 0n ? notification : { ...notification, precedingSequence: preceding }
  }

  return (entry) => {
    const { revision, notifications } = entry
    if (!notifications.some(isForeign)) {
      notifications.forEach(complete)
      return entry
    }
    const completed = (): Entry => ({ ...entry, notifications: notifications.map(complete) })
    const foreign = notifications.filter(isForeign).map(({ event }) => event)
    const unknown = [...new Set(foreign)].filter((event) => !newest.has(event))
    if (unknown.length === 0) return completed()
    return Promise.all(unknown.map((event) => lookUp(event, revision))).then(completed)
  }
}

/** The entry of a watch message, decoded and numbered; `undefined` for a message without events. */
export function entryOf(
  message: WatchMessage,
  decode: Decoder,
  number: Numbering,
): Entry | Promise<Entry> | undefined {
  switch (message.kind) {
    case 'revision':
      return number(decode(message.revision, message.events))
    case 'created':
    case 'progress':
      return undefined
  }
}

function isForeign(notification: Notification | undefined): notification is Notification {
  return notification !== undefined && notification.sequence === undefined
}
