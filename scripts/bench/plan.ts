/**
 * What a group of rows is, and how it repeats its measurements.
 *
 * @module
 */

import type { BenchRuntime, Placement } from './processes.ts'
import type { Row } from './row.ts'

/** How to measure. */
export interface Bench {
  /** Times that each figure is taken. */
  readonly runs: number
  /** Shorter loads, for a first look: the figures are rougher. */
  readonly isQuick: boolean
  /** Runtimes for the rows that are measured on several. */
  readonly runtimes: readonly BenchRuntime[]
  /** Tells the person who waits what is being done. */
  say(line: string): void
}

/** Rows that are measured together. */
export interface RowGroup {
  /** What `npm run bench -- NAME` calls it. */
  readonly name: string
  /** One line for the usage text. */
  readonly summary: string
  /** Default: apart. */
  readonly placement?: Placement
  measure(bench: Bench): Promise<readonly Row[]>
}

/** Duration of one load, in milliseconds. */
export function loadMs({ isQuick }: Bench): number {
  return isQuick ? 2_000 : 4_000
}

/**
 * Takes the same measurement of ours and of what it is compared with, on every runtime.
 *
 * @returns For each runtime the results of both, one per run.
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
 * Takes several measurements `runs` times, one after the other and every second time backwards, so that a machine that gets slower or
 * faster meanwhile does so for all of them.
 *
 * @returns For each measurement its results, one per run.
 */
export async function interleave<Name extends string, Result>(
  runs: number,
  measurements: Readonly<Record<Name, (run: number) => Promise<Result>>>,
): Promise<Record<Name, Result[]>> {
  const names = Object.keys(measurements) as Name[]
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Result[]>
  for (let run = 0; run < runs; run++) {
    for (const name of run % 2 === 0 ? names : names.toReversed())
      results[name].push(await measurements[name](run))
  }
  return results
}
