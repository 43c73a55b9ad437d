/**
 * Paces requests to the store: after each request the store rests for a multiple of the time that the request took. A busy store answers
 * more slowly, so it gets fewer requests.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { REST_MS, REST_SHARE, RETRIES, RETRY_MS } from './limits.ts'

/** Runs requests one after the other. */
export interface Pacer {
  /**
   * Runs a request that may be repeated. Tries it again a few times when the store cannot be reached or the outcome is not known.
   *
   * @throws {AvisoError} What the last attempt throws; `ERR_STORE_UNAVAILABLE` when the service is stopping.
   */
  run<Value>(request: () => Promise<Value>): Promise<Value>
}

/** Makes a pacer. After `signal` aborts, it begins no request. */
export function createPacer(clock: Clock, signal: AbortSignal): Pacer {
  const attempt = async <Value>(request: () => Promise<Value>): Promise<Value> => {
    for (let retries = 0; ; retries++) {
      try {
        if (signal.aborted)
          throw new AvisoError(
            'ERR_STORE_UNAVAILABLE',
            'The service is stopping; the job goes on at its next run',
          )
        return await request()
      } catch (error) {
        const isPassing = isAvisoError(error, 'ERR_STORE_UNAVAILABLE', 'ERR_OUTCOME_UNKNOWN')
        if (!isPassing || signal.aborted || retries >= RETRIES) throw error
        await clock.sleep(RETRY_MS, signal)
      }
    }
  }
  return {
    run: async (request) => {
      const began = clock.monotonic()
      const value = await attempt(request)
      const tookMs = clock.monotonic() - began
      await clock.sleep(Math.min(Math.max(tookMs * REST_SHARE, REST_MS.least), REST_MS.most), signal)
      return value
    },
  }
}
