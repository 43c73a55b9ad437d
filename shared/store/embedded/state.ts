/**
 * What the verbs of one open store share.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { CallOptions, Revision } from '../store.ts'

/** One open store. */
export interface StoreState {
  readonly database: SqlDatabase
  readonly clock: Clock
  readonly logger: Logger
  /** Revision of the last write that is on disk. */
  newest: Revision
  isClosed: boolean
}

/** @throws {AvisoError} `ERR_STORE_UNAVAILABLE` where the store is closed, or the call was given up. */
export function begin({ isClosed }: StoreState, options?: CallOptions): void {
  if (isClosed) throw closedError()
  if (options?.signal?.aborted === true)
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The call was given up before anything was done')
}

/** The refusal of a closed store. */
export function closedError(): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The store is closed')
}

/** Runs a read. @throws {AvisoError} `ERR_STORE_UNAVAILABLE` for every failure that is not an `AvisoError`. */
export function read<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (cause) {
    if (isAvisoError(cause)) throw cause
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store could not be read: look at its disk', { cause })
  }
}
