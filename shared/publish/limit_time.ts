/**
 * Bounds a call of the store, whether or not the store heeds its signal.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'

/**
 * Runs a call and gives it up after some time; its late result is ignored.
 *
 * @throws What the call throws, or the error that `late` makes.
 */
export function limitTime<Value>(
  call: (signal: AbortSignal) => Promise<Value>,
  { clock, ms, late }: { readonly clock: Clock; readonly ms: number; readonly late: () => AvisoError },
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const giveUp = new AbortController()
    // A timer and not `clock.sleep`: to abort a sleep makes an error with a stack, once for every transaction.
    const stop = clock.every(ms, () => {
      stop()
      giveUp.abort()
      reject(late())
    })
    call(giveUp.signal).then(resolve, reject).finally(stop)
  })
}
