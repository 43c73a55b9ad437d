/**
 * The service of runs: it says whether a run is there, when it will be, and what is missing.
 *
 * Flow: journal → **runs** → notifications of event type `run`, answers
 *
 * @module
 */

import type { Access } from '#shared/access/access.ts'
import { createRouter, type RoutedHandler } from '#shared/http/route.ts'
import type { Feed } from '#shared/hub/source/feed.ts'
import type { Logger } from '#shared/logger.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Metrics } from '#shared/observe/metrics/metrics.ts'
import type { Publisher } from '#shared/publish/publish.ts'
import type { Expectation } from '#shared/runs/expectation.ts'
import { createTracker } from '#shared/runs/tracker.ts'
import type { Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { createAnnouncements } from './announcements.ts'
import { createRunsClaim } from './claim.ts'
import { followRuns, type FollowedRuns } from './follow_runs.ts'
import { createRunQueries } from './query.ts'
import { registerRunMetrics } from './run_metrics.ts'
import { createRunRoutes } from './run_routes.ts'
import { createRunKeys, EVENT_FIELD, RUN_EVENT } from './run_schema.ts'

export interface RunsServiceParts {
  readonly store: Store
  /** Whether no other process can have the store. */
  readonly ownsStore: boolean
  /** With the event type `run`. */
  readonly schemas: Schemas
  readonly expectations: ReadonlyMap<string, Expectation>
  /** How long finished runs are remembered after their nominal time, in milliseconds. */
  readonly keepMs: number
  /** Publishes runs alone, with strict ids. It is closed with the service. */
  readonly publisher: Publisher
  readonly access: Pick<Access, 'forListening'>
  readonly metrics: Metrics
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  /** What the hub of this process has decoded; absent: there is no hub in it. */
  readonly feed?: Feed | undefined
}

/** A running service. */
export interface RunsService {
  readonly handle: RoutedHandler
  readonly runs: Pick<FollowedRuns, 'isPublishing'>
  close(): Promise<void>
}

/** Starts the service. */
export function startRunsService(parts: RunsServiceParts): RunsService {
  const { access, clock, expectations, keepMs, logger, metrics, publisher, random, schemas, store } = parts
  const keys = createRunKeys(schemas)
  const announcements = createAnnouncements({ store, publisher, keys, clock, logger })
  const claim = createRunsClaim({ store, clock, holder: random(), isAlone: parts.ownsStore })
  const runs = followRuns({
    store,
    schemas,
    events: [...expectations.keys()],
    clock,
    random,
    logger,
    feed: parts.feed,
    claim,
    announcements,
    createTracker: ({ stored, bookmark }) =>
      createTracker({ expectations, limits: { keepMs }, stored, bookmark, now: clock.now() }),
  })
  const endMetrics = registerRunMetrics(metrics, {
    current: () => currentOf(runs),
    hidden: schemas.require(RUN_EVENT).formats.base.fields.filter((name) => name !== EVENT_FIELD),
    dates: new Map([...expectations].map(([event, { nominal }]) => [event, nominal?.date ?? ''])),
    isPublishing: runs.isPublishing,
    dropped: announcements.dropped,
  })
  const fields = new Map([...expectations].map(([event, { run }]) => [event, run]))
  const queries = createRunQueries(schemas, fields)
  return {
    handle: createRouter(createRunRoutes({ access, runs, queries, keys }), { random, logger }),
    runs,
    close: async () => {
      await runs.close()
      endMetrics()
      await publisher.close()
    },
  }
}

function currentOf(
  runs: FollowedRuns,
): { readonly tracker: ReturnType<FollowedRuns['tracker']>; readonly now: number } | undefined {
  try {
    return { tracker: runs.tracker(), now: runs.now() }
  } catch {
    return undefined
  }
}
