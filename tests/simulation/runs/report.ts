/**
 * Verdicts as rows of the table in tests/README.md.
 *
 * @module
 */

import type { Observed } from './drive.ts'
import type { Verdict } from './judge.ts'

export const TABLE_HEAD = [
  '| played | notifications | runs | losses and latenesses found | false alarms | alarms after a change | ETAs that held | told after the usual end: median, most |',
  '|---|---|---|---|---|---|---|---|',
]

export function rowOf(name: string, { products }: Observed, verdict: Verdict): string {
  const { runs, found, mustFind, falseAlarms, changeAlarms, eta, told } = verdict
  const cells = [
    name,
    products.toLocaleString('en'),
    runs.toLocaleString('en'),
    `${found} of ${mustFind}`,
    falseAlarms.length,
    changeAlarms,
    `${(100 * eta.held).toFixed(1)} % of ${eta.asked.toLocaleString('en')}`,
    `${told.middle.toFixed(0)}, ${told.most.toFixed(0)} min`,
  ]
  return `| ${cells.join(' | ')} |`
}
