/**
 * Settings of the service of runs. What is expected of runs is `vars.runs`: `shared/runs/expectation_shape.ts`.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'
import { parseDurationMs } from '#shared/retention/duration.ts'

/** Two months of learned habits, and of runs to look back at. */
const KEEP = '60d'
/** Fewer are too few to learn from. */
const LEAST_KEEP_MS = 7 * 86_400_000

export const runsVars = section({
  keep: v.optional(
    v.pipe(
      v.string(),
      v.check(
        (text) => parseDurationMs(text) !== undefined,
        'A duration is a whole number with a unit s, m, h, d or w, such as 60d',
      ),
      v.transform((text) => parseDurationMs(text) ?? 0),
      v.minValue(LEAST_KEEP_MS, 'Runs of less than seven days are too few to learn from'),
      v.description(
        'How long finished runs are remembered after their nominal time, to learn from and to look at. Notifications of runs are kept as those of any event type',
      ),
    ),
    KEEP,
  ),
})

export type RunsVars = v.InferOutput<typeof runsVars>

/** The service's entry when the configuration file does not mention it. */
export const RUNS_SERVICE = {
  name: 'aviso-runs',
  main: 'services/runs/worker.ts',
  routes: ['/api/v1/runs', '/api/v1/runs/*'],
}
