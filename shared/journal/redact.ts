/**
 * Redacts journals for relays that may not see all of their notifications.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import { encodeJournal, parseJournal } from './codec.ts'
import type { JournalEvent } from './journal.ts'

/**
 * The value of a journal key in which hidden notifications have only their numbers. So numbers stay without gaps. They reveal that
 * something was published, but not what.
 *
 * @param mayName Whether a notification may be named, by its store key.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that no version of this service wrote.
 */
export function redactJournal(
  value: Uint8Array,
  journal: string,
  mayName: (key: Uint8Array) => boolean,
): Uint8Array {
  const batch = parseJournal(value, journal)
  const events = batch.events.map((event): JournalEvent =>
    mayName(toBytes(event.key)) ? event : { key: '', seq: event.seq, id: '', source: '', hash: '' },
  )
  return encodeJournal({ ...batch, events })
}
