/**
 * Pauses between the transactions of a lane.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import { RACE, RACES_BEFORE_WAITING, RETRY_PAUSE_MS, YIELD_MS } from './limits.ts'

/** Resolves when the next transaction may be sent. */
export interface Pace {
  /** With `someoneWaits`, pauses: an ingest farther from the store would never win against one that commits without a break. */
  afterCommit(someoneWaits: boolean): Promise<void>
  afterFailure(): Promise<void>
  /** Somebody else was faster. */
  afterLostRace(): Promise<void>
  /** Whether so many races were lost that the others should know. */
  isStarving(): boolean
}

export function createPace({
  clock,
  random,
}: {
  readonly clock: Clock
  readonly random: () => string
}): Pace {
  let failures = 0
  let races = 0
  let yieldMs: number = YIELD_MS.first
  return {
    afterCommit: async (someoneWaits) => {
      failures = 0
      races = 0
      if (!someoneWaits) return
      await clock.sleep(yieldMs)
      yieldMs = Math.min(yieldMs * 2, YIELD_MS.most)
    },
    afterFailure: () => {
      const pause = Math.min(RETRY_PAUSE_MS.first * 2 ** failures++, RETRY_PAUSE_MS.most)
      return clock.sleep(pause * (0.5 + randomFraction(random) / 2))
    },
    afterLostRace: async () => {
      failures = 0
      yieldMs = YIELD_MS.first
      if (++races <= RACE.immediate) return
      await clock.sleep(Math.min(2 ** (races - RACE.immediate), RACE.mostMs) * randomFraction(random))
    },
    isStarving: () => races >= RACES_BEFORE_WAITING,
  }
}
