/**
 * The states of runs. They stand alone, because the command line is made before anything else is loaded.
 *
 * @module
 */

/** States that the service may be asked for. */
export const RUN_STATES = [
  'expected',
  'running',
  'late',
  'complete',
  'recovered',
  'incomplete',
  'abandoned',
] as const
export type RunState = (typeof RUN_STATES)[number]
