/**
 * Starts the services of a system, however late its store comes.
 *
 * @module
 */

import type { StreamRegistry } from '#services/auth/streams/registry.ts'
import { AvisoError } from '#shared/errors.ts'
import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import type { SystemAccess } from './access.ts'
import type { Instruments } from './instruments.ts'
import { findSchemas, type StartSchemas } from './schemas.ts'
import { startServices, type RunningServices } from './services.ts'
import type { SystemParts } from './system_parts.ts'

/** Wait between attempts to reach the store at start. */
const START_RETRY: BackOffLimits = { firstMs: 50, mostMs: 1000, steadyShare: 0.5 }

/** What starting services takes. */
export interface StartParts extends SystemParts {
  readonly instruments: Instruments
  readonly access: SystemAccess
  readonly streams: StreamRegistry
  readonly tickets: SystemAccess['tickets']
  /** Called with each failure while the store does not answer. */
  readonly onWaiting: (error: AvisoError) => void
}

/** Starts the services as soon as the store answers. */
export async function startWhenStoreAnswers(
  parts: StartParts,
  signal: AbortSignal,
): Promise<{ readonly started: RunningServices; readonly found: StartSchemas }> {
  for (let failures = 0; ; failures++) {
    try {
      const found = await findSchemas(parts)
      if (found.schemas !== parts.schemas) parts.access.useSchemas(found.schemas)
      return { started: await startServices({ ...parts, schemas: found.schemas }), found }
    } catch (error) {
      if (signal.aborted || !(error instanceof AvisoError) || error.status !== 503) throw error
      parts.onWaiting(error)
      const waitMs = backOffMs(failures, START_RETRY, () => randomFraction(parts.random))
      await parts.clock.sleep(waitMs, signal)
    }
  }
}
