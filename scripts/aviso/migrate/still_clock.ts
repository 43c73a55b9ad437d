/**
 * The clock of a store that is only read or compared: its timers never fall due, so no lease ends in it meanwhile.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'

export function stillClock(clock: Clock): Clock {
  return { ...clock, every: () => () => undefined }
}
