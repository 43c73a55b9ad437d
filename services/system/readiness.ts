/**
 * Whether a system can take work, and if not, why.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { runWithin } from '#shared/time/deadline.ts'
import type { Readiness } from './routes.ts'
import type { RunningServices } from './services.ts'
import { createTroubleLog, explainTrouble } from './store_trouble.ts'
import type { SystemParts } from './system_parts.ts'

/** Time that a readiness probe gives the store: shorter than the usual limits of probes. */
const READINESS_LIMIT_MS = 2000

/** How services are that run. */
export async function readinessOf(
  parts: SystemParts,
  running: RunningServices,
  isWarmingUp: boolean,
): Promise<Readiness> {
  const failure = await failureOf(parts)
  const { connected, streams } = running.listening()
  if (failure === undefined) return { connected, streams, isWarmingUp }
  return {
    connected: false,
    streams,
    ...(isAvisoError(failure) && { reason: explainTrouble(failure).reason }),
  }
}

/** How they are once this process is being stopped. */
export function whileStopping(running: RunningServices | undefined): Readiness {
  return { connected: false, streams: 0, ...running?.listening(), isStopping: true }
}

/** Logs why the store does not answer, and remembers the last reason. */
export function watchTrouble({ config, clock, logger }: SystemParts): {
  readonly note: (error: AvisoError) => void
  readonly last: () => { readonly reason?: string }
} {
  const log = createTroubleLog(logger, { store: config.vars.store, now: clock.monotonic })
  let last: { readonly reason?: string } = {}
  return {
    note: (error) => {
      last = { reason: log(error).reason }
    },
    last: () => last,
  }
}

/** @returns why the store does not answer just now; `undefined` where it does */
function failureOf(parts: SystemParts): Promise<unknown> {
  return askStore(parts).then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** @throws {AvisoError} `ERR_STORE_UNAVAILABLE` when the store does not answer in time, and the store's other errors. */
function askStore({ store, clock }: SystemParts): Promise<unknown> {
  const late = (): never => {
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store does not answer')
  }
  return runWithin((signal) => store.status({ signal }), { clock, ms: READINESS_LIMIT_MS, late })
}
