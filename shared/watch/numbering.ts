/**
 * Tells notifications of other writers, which have no number, behind which one they come: what cannot do without a number is given that.
 *
 * Flow: store → decode → **numbering** → ring → listener
 *
 * @module
 */

import { sequenceAt } from '#shared/journal/positions.ts'
import type { Notification } from '#shared/notification/notification.ts'
import type { Revision, Store } from '#shared/store/store.ts'
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

  function complete(entry: Entry): Entry {
    let isForeign = false
    const notifications = entry.notifications.map((notification): Notification | undefined => {
      if (notification === undefined) return undefined
      const { event, sequence } = notification
      if (sequence !== undefined) {
        newest.set(event, sequence)
        return notification
      }
      isForeign = true
      const preceding = newest.get(event) ?? 0n
      return preceding === 0n ? notification : { ...notification, precedingSequence: preceding }
    })
    return isForeign ? { ...entry, notifications } : entry
  }

  return (entry) => {
    const { revision, notifications } = entry
    const foreign = notifications.filter((notification) => notification?.sequence === undefined)
    const unknown = new Set(foreign.flatMap((notification) => notification?.event ?? []))
    for (const event of unknown) if (newest.has(event)) unknown.delete(event)
    if (unknown.size === 0) return complete(entry)
    return Promise.all([...unknown].map((event) => lookUp(event, revision))).then(() => complete(entry))
  }
}
