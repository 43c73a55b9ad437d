/**
 * Bounds a call of the store, whether or not the store heeds its signal.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/telemetry/clock.ts'

/**
 * Runs a call and gives it up after some time; its late result is ignored.
 *
 * @throws What the call throws, or the error that `late` makes.
 */
export async function limitTime<Value>(
  call: (signal: AbortSignal) => Promise<Value>,
  { clock, ms, late }: { readonly clock: Clock; readonly ms: number; readonly late: () => AvisoError },
): Promise<Value> {
  const giveUp = new AbortController()
  const answered = new AbortController()
  try {
    const outcome = await Promise.race([
      call(giveUp.signal).then((value) => ({ value })),
      clock.sleep(ms, answered.signal).then(() => undefined),
    ])
    if (outcome !== undefined) return outcome.value
    giveUp.abort()
    throw late()
  } finally {
    answered.abort()
  }
}
