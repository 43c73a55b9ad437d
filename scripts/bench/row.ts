/**
 * Defines measured rows and their verdicts, and prints them as a table and JSON.
 *
 * @module
 */

import { median } from './statistics.ts'

/** A target for a figure. */
export interface Aim {
  /** The target as the design writes it, such as `≥ 20,000`. */
  readonly text: string
  /** Whether the measured figure meets it. */
  readonly isMet: boolean
}

/** The bare limit of the same run: what the machine reaches without our code. */
export interface Limit {
  readonly name: string
  /** One figure per run, in the unit of the row. */
  readonly runs: readonly number[]
}

/** A figure beside its limit. */
export interface Row {
  readonly name: string
  /** Where our side ran, such as `node` or `node + etcd`. */
  readonly runtime: string
  readonly unit: string
  /** One figure per run. The row shows the median. */
  readonly runs: readonly number[]
  readonly limit?: Limit
  readonly floor?: Aim
  readonly goal?: Aim
  /** Further information, such as other figures. */
  readonly notes?: readonly string[]
}

/** The best aim that a row meets. `MISSED`: below the floor. `below goal`: there is only a goal. `–`: there is no aim. */
export type Verdict = 'goal' | 'floor' | 'MISSED' | 'below goal' | '–'

export function verdictOf({ floor, goal }: Row): Verdict {
  if (goal?.isMet === true) return 'goal'
  if (floor === undefined) return goal === undefined ? '–' : 'below goal'
  return floor.isMet ? 'floor' : 'MISSED'
}

/** An aim of at least `least`. */
export function atLeast(least: number, value: number, unit = ''): Aim {
  return { text: `≥ ${showNumber(least)}${unit}`, isMet: value >= least }
}

/** An aim of at most `most`. */
export function atMost(most: number, value: number, unit = ''): Aim {
  return { text: `≤ ${showNumber(most)}${unit}`, isMet: value <= most }
}

/** An aim that is met when both aims are. */
export function both(one: Aim, other: Aim): Aim {
  return { text: `${one.text} and ${other.text}`, isMet: one.isMet && other.isMet }
}

/** The median ratio of figure to limit, run by run, because only results of the same run compare; `undefined` if a limit is not above 0. */
export function ratioOf({ runs, limit }: Row): number | undefined {
  if (limit === undefined || limit.runs.some((value) => value <= 0)) return undefined
  return ratio(runs, limit.runs)
}

/** The median of the ratios of corresponding runs. */
export function ratio(runs: readonly number[], limits: readonly number[]): number {
  return median(runs.map((value, index) => value / (limits[index] ?? Number.NaN)))
}

/** A Markdown table of rows, with notes below. */
export function toTable(rows: readonly Row[]): string {
  const lines = [
    '| work | runtime | floor | goal | measured | bare limit, same run | ratio | verdict |',
    '|---|---|---|---|---|---|---|---|',
  ]
  const notes: string[] = []
  for (const row of rows) {
    const { name, runtime, floor, goal, limit } = row
    let mark = ''
    if (row.notes !== undefined && row.notes.length > 0) {
      mark = ` [${notes.length + 1}]`
      notes.push(`[${notes.length + 1}] ${row.notes.join('; ')}`)
    }
    const cells = [
      `${name}${mark}`,
      runtime,
      floor?.text ?? '–',
      goal?.text ?? '–',
      `**${showNumber(median(row.runs))}** ${row.unit}${showSpread(row.runs)}`,
      limit === undefined ? '–' : `${showNumber(median(limit.runs))} (${limit.name})`,
      showNumber(ratioOf(row)),
      verdictOf(row),
    ]
    lines.push(`| ${cells.join(' | ')} |`)
  }
  return [...lines, '', ...notes].join('\n')
}

/** A number as the table shows it: three significant digits, and whole from 100 on. */
export function showNumber(value: number | undefined): string {
  if (value === undefined) return '–'
  if (!Number.isFinite(value)) return 'not measured'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-GB')
  return String(Number(value.toPrecision(3)))
}

function showSpread(runs: readonly number[]): string {
  if (runs.length < 2) return ''
  return ` (${showNumber(Math.min(...runs))}–${showNumber(Math.max(...runs))})`
}

/** Rows as JSON, with the values that the table computes. */
export function toJsonRows(rows: readonly Row[]): readonly object[] {
  return rows.map((row) => ({
    ...row,
    median: median(row.runs),
    ...(row.limit !== undefined && { limitMedian: median(row.limit.runs), ratio: ratioOf(row) }),
    verdict: verdictOf(row),
  }))
}
