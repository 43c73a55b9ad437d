/**
 * `GET /api/v1/runs` and `GET /api/v1/runs/{id}`: the state of runs, for those who may listen to all of their products.
 *
 * @module
 */

import type { Access, Listener } from '#shared/access/access.ts'
import { contains, covers, toInterval, type IntervalSet } from '#shared/access/interval.ts'
import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { readSegment } from '#shared/http/query.ts'
import { rateLimitFields } from '#shared/http/rate_limit.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { OFFERS_JSON, type Route } from '#shared/http/route.ts'
import type { RunDetail } from '#shared/runs/runs.ts'
import type { FollowedRuns } from './follow_runs.ts'
import type { RunQueries } from './query.ts'
import { RUN_ROOT, type RunKeys, type RunName } from './run_schema.ts'

export interface RunRouteParts {
  readonly access: Pick<Access, 'forListening'>
  readonly runs: Pick<FollowedRuns, 'tracker' | 'now'>
  readonly queries: RunQueries
  readonly keys: Pick<RunKeys, 'baseOf'>
}

const ALL_RUNS = prefixRange(RUN_ROOT)

/** The routes. */
export function createRunRoutes({ access, runs, queries, keys }: RunRouteParts): readonly Route[] {
  const route = (
    path: string,
    doc: string,
    answer: (request: HandlerRequest, accepts: Accepts | undefined, id: string) => object,
  ): Route => ({
    method: 'GET',
    path,
    doc,
    generation: 2,
    offers: OFFERS_JSON,
    handle: async (request, { requestId, params }) => {
      const listener = await access.forListening(request)
      const charge = await listener.takeRead()
      let bytes = 0
      try {
        const accepts = await acceptsOf(listener)
        const response = jsonResponse(200, answer(request, accepts, params['id'] ?? ''), {
          'x-request-id': requestId,
          vary: 'Authorization',
          ...rateLimitFields(listener.readsLeft()),
        })
        bytes = response.body instanceof Uint8Array ? response.body.length : 0
        return response
      } finally {
        charge({ reads: 1, keys: 0, bytes })
      }
    },
  })

  /** `undefined`: every run may be seen. @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE`. */
  async function acceptsOf(listener: Listener): Promise<Accepts | undefined> {
    const visible: IntervalSet = await listener.visible([ALL_RUNS])
    if (covers(visible, [toInterval(ALL_RUNS)])) return undefined
    return (name) => contains(visible, toBytes(keys.baseOf(name)))
  }

  return [
    route('/api/v1/runs', 'runs', (request, accepts) => {
      const filter = queries.read(request.url)
      return runs
        .tracker()
        .runs(
          accepts === undefined ? filter : { ...filter, accepts: (event, run) => accepts({ event, run }) },
          runs.now(),
        )
    }),
    route('/api/v1/runs/:id', 'run', (_request, accepts, id) => find(id, accepts)),
  ]

  /** @throws {AvisoError} `ERR_NOT_FOUND`, also for a run that the listener may not see. */
  function find(segment: string, accepts: Accepts | undefined): RunDetail {
    const tracker = runs.tracker()
    // An id is safe as it stands. A client that encodes it once more is understood, too.
    const found = tracker.run(segment, runs.now()) ?? tracker.run(readSegment(segment, 'run'), runs.now())
    if (found !== undefined && (accepts?.({ event: found.event_type, run: found.run }) ?? true)) return found
    throw new AvisoError(
      'ERR_NOT_FOUND',
      'There is no such run, or you may not listen to all of its products',
    )
  }
}

/** Whether the listener may see a run. */
type Accepts = (name: RunName) => boolean
