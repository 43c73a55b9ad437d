/**
 * Pauses between the transactions of a lane.
 *
 * @module
 */

import { backOffMs } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import { RACE, RACES_BEFORE_WAITING, RACES_WITHOUT_PAUSE, RETRY, YIELD_MS } from './limits.ts'

/** Resolves when the next transaction may be sent. */
export interface Pace {
  /** Pauses with `someoneWaits`, because an ingest farther from the store would never win against one that commits without a break. */
  afterCommit(someoneWaits: boolean): Promise<void>
  afterFailure(): Promise<void>
  /** Called after another ingest was faster. */
  afterLostRace(): Promise<void>
  /** Whether this ingest lost so many races that the others should know. */
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
  const fraction = (): number => randomFraction(random)
  return {
    afterCommit: async (someoneWaits) => {
      failures = 0
      races = 0
      if (!someoneWaits) return
      await clock.sleep(yieldMs)
      yieldMs = Math.min(yieldMs * 2, YIELD_MS.most)
    },
    afterFailure: () => clock.sleep(backOffMs(failures++, RETRY, fraction)),
    afterLostRace: async () => {
      failures = 0
      yieldMs = YIELD_MS.first
      if (++races <= RACES_WITHOUT_PAUSE) return
      await clock.sleep(backOffMs(races - RACES_WITHOUT_PAUSE - 1, RACE, fraction))
    },
    isStarving: () => races >= RACES_BEFORE_WAITING,
  }
}
