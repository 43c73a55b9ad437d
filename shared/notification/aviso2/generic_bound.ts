/**
 * A bound on event types without a schema. Each one costs memory for as long as a process runs: a lane into the store, its recent ids, and
 * figures. A program that puts a date into the name of its event type would take all of it.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { showValue } from '../fields.ts'

/** Most event types without a schema that a process publishes. A site has some tens; a thousand lanes are some tens of MB. */
export const MAX_GENERIC_EVENTS = 1_000

/** The event types without a schema that a process has published. */
export interface GenericBound {
  readonly size: number
  /** Lets a notification of such an event type through. @throws {AvisoError} `ERR_TOO_MANY_EVENTS` for one too many. */
  admit(event: string): void
}

/** A bound that has let nothing through yet. @param isKnown Whether an event type has a schema; it is always let through. */
export function createGenericBound(isKnown: (event: string) => boolean): GenericBound {
  const admitted = new Set<string>()
  return {
    get size() {
      return admitted.size
    },
    admit(event) {
      if (isKnown(event) || admitted.has(event)) return
      if (admitted.size >= MAX_GENERIC_EVENTS)
        throw new AvisoError(
          'ERR_TOO_MANY_EVENTS',
          `This service has published ${MAX_GENERIC_EVENTS} event types without a schema, and takes no more: give "${showValue(event)}" a schema, or use an event type that there is`,
          { details: { field: 'event_type' } },
        )
      admitted.add(event)
    },
  }
}
