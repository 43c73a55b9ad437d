/**
 * Defines groups of rows, and repeats their measurements.
 *
 * @module
 */

import type { BenchRuntime, Placement } from './processes.ts'
import type { Row } from './row.ts'

/** How to measure. */
export interface Bench {
  /** How many times each figure is measured. */
  readonly runs: number
  /** Whether to use shorter loads, with less exact figures. */
  readonly isQuick: boolean
  /** Runtimes for the rows that are measured on several. */
  readonly runtimes: readonly BenchRuntime[]
  /** Tells the user which measurement runs. */
  say(line: string): void
}

/** Rows that are measured together. */
export interface RowGroup {
  /** Name for `npm run bench -- NAME`. */
  readonly name: string
  /** One line for the usage text. */
  readonly summary: string
  /** Whether it runs only when it is named. Default: false. */
  readonly isOnRequest?: boolean
  /** Default: `apart`. */
  readonly placement?: Placement
  measure(bench: Bench): Promise<readonly Row[]>
}

/** Duration of one load, in milliseconds. */
export function loadMs({ isQuick }: Bench): number {
  return isQuick ? 2_000 : 4_000
}

/**
 * Takes the same measurement of our server and of the plain server that it is compared with, on every runtime.
 *
 * @returns the results of both for each runtime, one per run
 */
export async function interleaveRuntimes<Result>(
  { runs, runtimes }: Bench,
  ours: (runtime: BenchRuntime) => Promise<Result>,
  bare: (runtime: BenchRuntime) => Promise<Result>,
): Promise<readonly { readonly runtime: BenchRuntime; readonly ours: Result[]; readonly bare: Result[] }[]> {
  const measurements = runtimes.flatMap((runtime): [string, () => Promise<Result>][] => [
    [`bare ${runtime}`, () => bare(runtime)],
    [runtime, () => ours(runtime)],
  ])
  const results = await interleave(runs, Object.fromEntries(measurements))
  return runtimes.map((runtime) => ({
    runtime,
    ours: results[runtime] ?? [],
    bare: results[`bare ${runtime}`] ?? [],
  }))
}

/**
 * Takes several measurements `runs` times, one after the other, and in reverse order every second time. So a machine that gets slower or
 * faster affects all measurements alike.
 *
 * @returns the results of each measurement, one per run
 */
export async function interleave<Results extends Readonly<Record<string, unknown>>>(
  runs: number,
  measurements: { readonly [Name in keyof Results]: (run: number) => Promise<Results[Name]> },
): Promise<{ readonly [Name in keyof Results]: Results[Name][] }> {
  const names = Object.keys(measurements) as (keyof Results)[]
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as {
    readonly [Name in keyof Results]: Results[Name][]
  }
  for (let run = 0; run < runs; run++) {
    for (const name of run % 2 === 0 ? names : names.toReversed())
      results[name].push(await measurements[name](run))
  }
  return results
}
