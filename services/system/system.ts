/**
 * Puts services together on one store: one handler, routed by path as an edge proxy would.
 *
 * Flow: **rest → store → hub → auth**
 *
 * @module
 */

import type { ScheduledEvent } from '#services/admin/handler.ts'
import type { Monitoring } from '#services/monitoring/monitoring.ts'
import type { Config, ServiceName } from './settings.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { toFetchHandler, type FetchHandler, type Handler } from '#shared/handler.ts'
import { errorResponse } from '#shared/http/respond.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { StoreMaintenance } from '#shared/store/maintenance.ts'
import type { Store } from '#shared/store/store.ts'
import { backOffMs, type BackOffLimits } from '#shared/time/back_off.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import { randomFraction } from '#shared/time/jitter.ts'
import type { Logger } from '#shared/logger.ts'
import { startAccess, type AccessPowers, type SystemAccess } from './access.ts'
import { createInstruments, type InstrumentPowers, type Instruments } from './instruments.ts'
import { startSystemMonitoring } from './monitoring.ts'
import { createDispatcher, type Readiness } from './routes.ts'
import { findSchemas, keepSchemas, type StartSchemas } from './schemas.ts'
import { startServices, type RunningServices } from './services.ts'

/** What a system is made of. */
export interface SystemParts extends InstrumentPowers, AccessPowers {
  readonly config: Config
  readonly services: readonly ServiceName[]
  readonly store: Store
  /** What an admin may do to the store's members; absent where it has none. */
  readonly maintenance?: StoreMaintenance | undefined
  readonly schemas: Schemas
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly identity: { readonly unixUser: string; readonly hostname: string }
  /** Public address, the `source` of delivered CloudEvents. A function, because a free port is known only after listening. */
  readonly baseUrl: () => string
  readonly version: string
}

/** Running services. */
export interface System {
  /** All services behind one address. */
  readonly handle: Handler
  /** The same as a standard Fetch handler. */
  readonly fetch: FetchHandler
  /** One service alone, for an own port. */
  only(service: ServiceName): Handler
  /** Resolves when the store has answered and the services stand. */
  readonly ready: Promise<void>
  /** A cron trigger is due. Waits until the services stand; does nothing where the admin is not among them. Never rejects. */
  scheduled(event: ScheduledEvent): Promise<void>
  /** Who may do what from now on, for open streams too. @throws {AvisoError} `ERR_CONFIG` for rules that cannot be; the old ones then stay. */
  replacePolicy(policy: Config['vars']['policy']): void
  /** Ends streams with a resumable position, finishes writes, closes the store. Idempotent. */
  close(): Promise<void>
}

/** Wait between attempts to reach the store at start. */
const START_RETRY: BackOffLimits = { firstMs: 50, mostMs: 1000, steadyShare: 0.5 }
/** Time that a readiness probe gives the store: shorter than any prober's own limit. */
const READINESS_LIMIT_MS = 2000

/**
 * Starts the services. A store that cannot be reached yet is waited for; until then every route answers 503,
 * so the order in which an operator starts things does not matter.
 */
export function startSystem(parts: SystemParts): System {
  const { random, logger } = parts
  const stop = new AbortController()
  const access = startAccess(parts)
  const { instruments, monitoring } = startMeasuring(parts, access)
  /** Absent until the store has answered. */
  let running: RunningServices | undefined
  /** Follows the schemas in the store. */
  let keeping: Promise<void> | undefined
  /** Why the store does not answer yet. */
  let waiting: AvisoError | undefined
  let closing: Promise<void> | undefined
  const startParts = { ...parts, instruments, access, onWaiting: (error: AvisoError) => (waiting = error) }
  const ready = startWhenStoreAnswers(startParts, stop.signal).then(({ started, found }) => {
    running = started
    keeping = keepSchemas(parts, found, { onChange: restart, signal: stop.signal })
  })
  ready.catch((error: unknown) => {
    if (stop.signal.aborted) return
    logger('error', 'services did not start', { reason: error instanceof Error ? error.message : 'unknown' })
  })
  const handle = serve(parts.services)
  return {
    handle,
    fetch: toFetchHandler(handle),
    only: (service) => serve([service]),
    ready,
    scheduled: async (event) => {
      await ready.catch(() => undefined)
      if (!stop.signal.aborted) await running?.admin?.scheduled(event)
    },
    replacePolicy: access.replacePolicy,
    close: () => (closing ??= close()),
  }

  function serve(services: readonly ServiceName[]): Handler {
    return createDispatcher(parts.config, services, { dispatch, readiness, instruments, random, logger })
  }

  function dispatch(service: ServiceName): Handler {
    // It tells how things are also while the store cannot be reached.
    if (service === 'monitoring' && monitoring !== undefined) return monitoring.handle
    return (request) => {
      const handler = running?.handlers.get(service)
      if (handler !== undefined) return handler(request)
      const unreached = new AvisoError(
        'ERR_STORE_UNAVAILABLE',
        'The store cannot be reached yet; try again in a moment',
      )
      return Promise.resolve(errorResponse(unreached, { requestId: random(), logger }))
    }
  }

  async function readiness(): Promise<Readiness> {
    if (running === undefined || stop.signal.aborted) {
      return { connected: false, streams: 0, ...(waiting !== undefined && { reason: waiting.message }) }
    }
    const failure = await askStore(parts).then(
      () => undefined,
      (error: unknown) => error,
    )
    const { connected, streams } = running.listening()
    if (failure === undefined) return { connected, streams }
    return { connected: false, streams, ...(isAvisoError(failure) && { reason: failure.message }) }
  }

  /** Services of another schema take over from those that run; streams end with a resumable position, as for any restart. */
  async function restart(schemas: Schemas): Promise<void> {
    const before = running
    running = await startServices({ ...startParts, schemas }, stop.signal)
    logger('info', 'The services have taken over a schema from the store', {
      events: schemas.events.join(' '),
    })
    await before?.close()
  }

  async function close(): Promise<void> {
    stop.abort()
    await ready.catch(() => undefined)
    await keeping
    await running?.close()
    await access.close()
    await monitoring?.close()
    await instruments.close()
    await parts.store.close()
  }
}

interface Measuring {
  readonly instruments: Instruments
  readonly monitoring: Monitoring | undefined
}

/** Instruments, and the monitoring where it is one of the services: it is told by the others directly then. */
function startMeasuring(parts: SystemParts, access: SystemAccess): Measuring {
  const isHere = parts.services.includes('monitoring')
  let monitoring: Monitoring | undefined
  const accept = isHere ? (message: Uint8Array): void => void monitoring?.accept(message) : undefined
  const instruments = createInstruments({ ...parts, accessCounts: access.counts, accept })
  if (isHere) {
    const { metrics, store } = instruments
    monitoring = startSystemMonitoring({ ...parts, metrics, store, access })
  }
  return { instruments, monitoring }
}

/** @throws {AvisoError} Where the store does not answer in time. */
function askStore({ store, clock }: SystemParts): Promise<unknown> {
  const late = (): never => {
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store does not answer')
  }
  return runWithin((signal) => store.status({ signal }), { clock, ms: READINESS_LIMIT_MS, late })
}

interface StartParts extends SystemParts {
  readonly instruments: Instruments
  readonly access: SystemAccess
  /** Told that the store does not answer yet, for this reason. */
  readonly onWaiting: (error: AvisoError) => void
}

async function startWhenStoreAnswers(
  parts: StartParts,
  signal: AbortSignal,
): Promise<{ readonly started: RunningServices; readonly found: StartSchemas }> {
  for (let failures = 0; ; failures++) {
    try {
      const found = await findSchemas(parts)
      return { started: await startServices({ ...parts, schemas: found.schemas }, signal), found }
    } catch (error) {
      if (signal.aborted || !(error instanceof AvisoError) || error.status !== 503) throw error
      parts.onWaiting(error)
      parts.logger('warn', 'waiting for the store', { code: error.code, reason: error.message })
      const waitMs = backOffMs(failures, START_RETRY, () => randomFraction(parts.random))
      await parts.clock.sleep(waitMs, signal)
    }
  }
}
