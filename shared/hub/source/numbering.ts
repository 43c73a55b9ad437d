/**
 * Tells notifications of other writers, which have no number, behind which one they come: what cannot do without a number is given that.
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

/** Completes the entries of one follower, which come in order and without a gap. A promise only where the store must be asked. */
export type Numbering = (entry: Entry) => Entry | Promise<Entry>

/** Asks the store once for each event type that somebody else writes, and never for the others. */
export function createNumbering(store: Store): Numbering {
  /** Event type → number of its newest notification, 0n before the first; absent: not known. */
  const newest = new Map<string, bigint>()

  async function lookUp(event: string, revision: Revision): Promise<void> {
    try {
      newest.set(event, await sequenceAt(store, event, revision))
    } catch {
      // Compacted meanwhile, or the store is away: it stays without, and the next one asks again.
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

/** What a message of the store holds, decoded and numbered; `undefined` where that is nothing. */
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
