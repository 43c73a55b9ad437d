/**
 * Damage in the journal of an event type: how far it reaches, and what it means for publishing.
 *
 * @module
 */

import { AvisoError, HistoryDamaged, isAvisoError, KeyDamaged } from '#shared/errors.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { JournalSource } from '#shared/journal/commits.ts'
import { journalKey } from '#shared/journal/journal.ts'
import { sequenceAt } from '#shared/journal/positions.ts'
import type { Revision } from '#shared/store/store.ts'

/** The last revision that damage has taken, according to an error. */
export function lastDamaged(error: unknown): Revision | undefined {
  if (error instanceof KeyDamaged) return error.revision
  return error instanceof HistoryDamaged ? error.next - 1n : undefined
}

/**
 * Says what a damaged journal means.
 *
 * @throws {AvisoError} the error; where it tells of damage, one with the event type and the last number before it.
 */
export async function failDamaged(
  source: JournalSource,
  error: unknown,
  signal: AbortSignal,
): Promise<never> {
  const { store, event } = source
  if (!isAvisoError(error, 'ERR_STORE_DAMAGED')) throw error
  if (error instanceof KeyDamaged && toText(error.key) !== journalKey(event)) throw error
  const first = error instanceof KeyDamaged ? error.revision : lastDamaged(error)
  const before =
    first === undefined ? 0n : await sequenceAt(store, event, first - 1n, { signal }).catch(() => 0n)
  const place = before === 0n ? '' : ` behind number ${before}`
  throw new AvisoError(
    'ERR_STORE_DAMAGED',
    `Notifications of event type "${event}" cannot be published, because its journal${place} tells which numbers and ids are stored. ${error.message}`,
    { cause: error, details: error.details },
  )
}
