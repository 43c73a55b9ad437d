/**
 * The listening service: streams and reads for 1.x and 2.x listeners, and the facade for etcd's clients.
 *
 * Flow: store → hub → **auth** → listener
 *
 * @module
 */

import { createFacade, FACADE_ROUTES, isFacadePath } from './etcd_facade/facade.ts'
import { createExplainRoutes } from './explain/explain_routes.ts'
import { createEventRoutes } from './history/event_routes.ts'
import { createHistoryRoutes } from './history/history_routes.ts'
import type { IsRemoved } from './history/page.ts'
import { BODY_LIMITS, type AuthLimits } from './listen/limits.ts'
import { createCountRoutes } from './listen/count.ts'
import { createListenRoutes } from './listen/listen.ts'
import { createPollRoutes } from './listen/poll.ts'
import type { StreamParts } from './listen/stream.ts'
import { createSchemaRoutes } from './schema_routes.ts'
import { createPositions, type Positions } from './listen/start.ts'
import { createLiveRoutes } from './live_routes.ts'
import { createStreamRoutes, type StreamRoutesParts } from './stream_routes.ts'
import { createActivity, type Activity } from './streams/activity.ts'
import { createStreamRegistry, newInstance, type StreamRegistry } from './streams/registry.ts'
import { createTraceRoutes } from './trace_routes.ts'
import { createTickets, type TicketSettings } from './tickets.ts'
import type { Access } from '#shared/access/access.ts'
import { createRouter, rawPath, withRoutes, type Route, type RoutedHandler } from '#shared/http/route.ts'
import { lastElsewhereIn, type FirstNumbers } from '#shared/publish/numbers.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { createTraceBook, type TraceBook } from '#shared/observe/telemetry/trace_book.ts'
import type { Hub } from '#shared/hub/hub.ts'
import { sharePositions } from '#shared/journal/positions.ts'

export interface AuthParts {
  readonly store: Store
  readonly hub: Hub
  readonly schemas: Schemas
  /** Decides who may see which keys. */
  readonly access: Pick<Access, 'forListening'>
  /** Who may look at streams and end them; absent: nobody. */
  readonly administration?: Pick<Access, 'forAdministration'>
  /** Counts what comes through the hub; absent: nothing is counted. */
  readonly activity?: Activity
  /** Ends views that no hub ends; absent: nothing does. */
  readonly closing?: AbortSignal
  /** The store's epoch (`shared/journal/epoch.ts`). @throws {AvisoError} `ERR_STORE_UNAVAILABLE` while it is not known. */
  readonly epoch: () => string
  /** Finds sequence numbers and dates in history; absent: they are looked up in the store's journal. */
  readonly positions?: Positions
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly info: {
    /** Public address of the service, the `source` of delivered CloudEvents. */
    readonly baseUrl: () => string
  }
  readonly limits: Pick<AuthLimits, 'maxAgeSeconds'>
  /** The times of recent notifications that this process has seen; absent: none. */
  readonly traces?: TraceBook
  /** Which notifications operators have removed; absent: none. */
  readonly removals?: { readonly isRemoved: IsRemoved }
  /** Limits of tickets; absent: there are none, and a ticket in an address is an unknown field. */
  readonly tickets?: TicketSettings | undefined
  /** Called for a position that this store never gave out; absent: not counted. */
  readonly onForeignPosition?: StreamParts['onForeignPosition']
  /** Default: none, every event type begins with 1. */
  readonly firstNumbers?: FirstNumbers
  /** Where open streams are noted; absent: in a place of its own. */
  readonly streams?: StreamRegistry | undefined
  /** Is told where the open streams are found; absent: they are not measured. */
  readonly onStreams?: (list: StreamRegistry['list']) => void
}

/** The handler of the service. It never rejects. */
export function createAuthHandler(parts: AuthParts): RoutedHandler {
  const limits = { ...BODY_LIMITS, ...parts.limits }
  const positions = parts.positions ?? createPositions(parts.store, parts.epoch, parts.firstNumbers)
  const { onForeignPosition = () => undefined } = parts
  const streams = parts.streams ?? createStreamRegistry(parts.clock, newInstance(parts.random))
  parts.onStreams?.(streams.list)
  const facade = createFacade({ ...parts, limits, onForeignPosition, streams })
  const tickets = parts.tickets && createTickets({ ...parts, settings: parts.tickets })
  const listening = {
    ...parts,
    limits,
    positions,
    onForeignPosition,
    streams,
    baseUrl: parts.info.baseUrl,
    withTicket: tickets?.access ?? parts.access,
  }
  const looking = {
    ...listening,
    search: sharePositions(parts.store, parts.epoch, lastElsewhereIn(parts.firstNumbers)),
    isRemoved: parts.removals?.isRemoved ?? (() => false),
  }
  const api = createRouter(
    [
      ...createListenRoutes(listening),
      ...createPollRoutes(listening),
      ...createCountRoutes(listening),
      ...createHistoryRoutes(looking),
      ...createEventRoutes(looking),
      ...createExplainRoutes(looking),
      ...(tickets === undefined ? [] : [tickets.route]),
      ...(parts.administration === undefined
        ? []
        : administrativeRoutes(parts, { ...listening, access: parts.administration })),
      ...createSchemaRoutes(parts.schemas, parts.logger),
      ...createTraceRoutes({ ...parts, traces: parts.traces ?? createTraceBook() }),
    ],
    parts,
  )
  return withRoutes(
    (request) => (isFacadePath(rawPath(request.url)) ? facade(request) : api(request)),
    [...FACADE_ROUTES, ...api.routes],
  )
}

function administrativeRoutes(
  { activity, closing, clock }: AuthParts,
  listening: StreamRoutesParts & { readonly limits: AuthLimits },
): readonly Route[] {
  return [
    ...createStreamRoutes(listening),
    ...createLiveRoutes({
      ...listening,
      activity: activity ?? createActivity(clock),
      closing: closing ?? new AbortController().signal,
      maxAgeSeconds: listening.limits.maxAgeSeconds,
    }),
  ]
}
