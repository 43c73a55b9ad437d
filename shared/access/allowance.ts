/**
 * Allowances: how much one listener, known by its identity or its address, may read and have open.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { ChargeRead } from './access.ts'
import { createBuckets, rateText, tooMany, type QuotaLeft, type Rate } from './quota/buckets.ts'
import { unitsOf } from './quota/read_cost.ts'
import { createSlots } from './quota/slots.ts'

/** Limits of one listener. */
export interface ListenerLimits {
  /** Streams at a time. */
  readonly streams: number
  /** Streams opened. */
  readonly opens: Rate
  /** Reads of stored keys, in units of `quota/read_cost.ts`. */
  readonly reads: Rate
}

/** What a listener has too much of. */
export type Excess = 'reads' | 'openings' | 'streams'

/** Makes the error of a refusal, and counts and records it. */
export type RefuseExcess = (excess: Excess, error: AvisoError) => AvisoError

/** Allowances by key. */
export interface Allowances {
  /** @throws {AvisoError} What `refuse` makes. */
  takeRead(key: string, refuse: RefuseExcess): ChargeRead
  /** @returns a function that gives the stream back. @throws {AvisoError} What `refuse` makes. */
  takeStream(key: string, refuse: RefuseExcess): () => void
  /** What is left of what is counted. */
  left(key: string, counted: Counted): QuotaLeft
}

/** What of a listener is counted: units of reading, or streams opened. */
export type Counted = 'reads' | 'opens'

/** How long a client with too many streams must wait: long enough that a client which keeps trying costs nothing. */
const RETRY_AFTER_SECONDS = 30

/** Settings of limits begin so. */
const SETTING = 'vars.quota.'

/** Whose limits they are: how the names of their settings end. */
export type LimitOwner = 'PerPrincipal' | 'PerAddress'

/** The same limits for each key. */
export function createAllowances(clock: Clock, limits: ListenerLimits, owner: LimitOwner): Allowances {
  const slots = createSlots(limits.streams)
  const opens = createBuckets(clock, limits.opens)
  const reads = createBuckets(clock, limits.reads)
  return {
    takeRead(key, refuse) {
      if (!reads.take(key)) {
        const limit = { setting: `${SETTING}reads${owner}`, most: `${rateText(limits.reads)}, in units` }
        throw refuse('reads', tooMany('reads', reads.retryAfterSeconds(key), limit))
      }
      // One unit is taken already, so that reads at the same time are bounded too.
      return (cost) => reads.charge(key, unitsOf(cost) - 1)
    },
    takeStream(key, refuse) {
      if (!opens.take(key)) {
        const limit = { setting: `${SETTING}opens${owner}`, most: rateText(limits.opens) }
        throw refuse('openings', tooMany('streams opened', opens.retryAfterSeconds(key), limit))
      }
      const giveBack = slots.take(key)
      if (giveBack === undefined) {
        const limit = { setting: `${SETTING}streams${owner}`, most: `${limits.streams} open` }
        throw refuse('streams', tooMany('streams', RETRY_AFTER_SECONDS, limit))
      }
      return giveBack
    },
    left: (key, counted) => (counted === 'reads' ? reads : opens).left(key),
  }
}
