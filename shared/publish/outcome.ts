/**
 * The answers to a notification whose publishing failed, by what is known of its outcome.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

/** The error for a notification that was surely not stored. */
export function storeUnavailable(): AvisoError {
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    'The notification was not stored, because the store cannot be reached or is too busy: send it again',
  )
}

/** Fails a call that waited too long for the store and wrote nothing. */
export function failUnavailable(): never {
  throw storeUnavailable()
}

/** The error for a notification that may have been stored. */
export function outcomeUnknown(): AvisoError {
  return new AvisoError(
    'ERR_OUTCOME_UNKNOWN',
    'The notification may have been stored, or may still be stored: send it again with the same id',
  )
}

/** Fails a transaction that was not answered in time. */
export function failUnknown(): never {
  throw outcomeUnknown()
}
