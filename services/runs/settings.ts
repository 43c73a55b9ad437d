/**
 * Settings of the service of runs.
 *
 * @module
 */

import * as v from 'valibot'

/** The form of `vars.runs`: event type → what is expected of its runs. */
export const runsSettings = v.record(
  v.string(),
  v.union([v.literal(true), v.record(v.string(), v.unknown())]),
)

export type RunsSettings = v.InferOutput<typeof runsSettings>

/** The service's entry when the configuration file does not mention it. */
export const RUNS_SERVICE = {
  name: 'aviso-runs',
  main: 'services/runs/worker.ts',
  routes: ['/api/v1/runs', '/api/v1/runs/*'],
}
