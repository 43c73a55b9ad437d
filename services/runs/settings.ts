/**
 * Settings of the service of runs. What is expected of runs is `vars.runs`: `shared/runs/expectation_shape.ts`.
 *
 * @module
 */

/** The service's entry when the configuration file does not mention it. */
export const RUNS_SERVICE = {
  name: 'aviso-runs',
  main: 'services/runs/worker.ts',
  routes: ['/api/v1/runs', '/api/v1/runs/*'],
}
