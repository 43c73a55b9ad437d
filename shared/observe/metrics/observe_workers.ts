/**
 * Counts workers of one launcher that were replaced.
 *
 * @module
 */

import type { Metrics } from './metrics.ts'

/** How many workers were replaced, by the reason. */
export interface ReplacedWorkers {
  /** They ended by themselves, or were killed. */
  readonly ended: number
  /** They hung, and were ended for it. */
  readonly silent: number
}

/** Registers the counter. @param replaced What it is now. */
export function observeWorkers(metrics: Metrics, replaced: () => ReplacedWorkers): void {
  metrics.read({
    kind: 'counter',
    name: 'aviso_workers_replaced',
    help: 'Workers of --workers that were replaced, because they ended or did not answer (silent)',
    labels: ['reason'],
    read: () => Object.entries(replaced()).map(([reason, value]) => ({ value, values: [reason] })),
  })
}
