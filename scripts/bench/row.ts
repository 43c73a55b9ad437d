/**
 * One measured row, and the table and JSON made of them.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'

/** A figure beside its limit of the same run. */
export interface Row {
  readonly name: string
  readonly runtime: string
  readonly ours: number
  readonly unit: string
  /** The bare limit measured in the same run, in the same unit. */
  readonly limit?: number
  readonly limitName?: string
  /** Anything else worth saying, e.g. percentiles. */
  readonly note?: string
  /** DESIGN's floor and goal, as text. */
  readonly floor: string
  readonly goal: string
}

/** Markdown table of rows. */
export function toTable(rows: readonly Row[]): string {
  const head =
    '| work | runtime | ours | bare limit, same run | ratio | floor · goal |\n|---|---|---|---|---|---|'
  const lines = rows.map((row) => {
    const limit = row.limit === undefined ? '–' : `${format(row.limit)} (${row.limitName ?? ''})`
    const ratio = row.limit === undefined ? '–' : (row.ours / row.limit).toFixed(2)
    const note = row.note === undefined ? '' : `; ${row.note}`
    return `| ${row.name} | ${row.runtime} | ${format(row.ours)} ${row.unit}${note} | ${limit} | ${ratio} | ${row.floor} · ${row.goal} |`
  })
  return [head, ...lines].join('\n')
}

/** Writes rows and the machine they were measured on as JSON. */
export async function writeJson(
  path: string,
  rows: readonly Row[],
  versions: Readonly<Record<string, string>>,
): Promise<void> {
  const machine = {
    processors: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  }
  await writeFile(
    path,
    `${JSON.stringify({ at: new Date().toISOString(), machine, versions, rows }, null, 2)}\n`,
  )
}

function format(value: number): string {
  if (!Number.isFinite(value)) return 'not measured'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-GB')
  return value.toPrecision(3)
}
