/**
 * Adds up what several processes have measured, as if one had.
 *
 * @module
 */

import type { MetricFamily, MetricSample } from './registry.ts'

/** Figures of which one process speaks for all: those about the store, its monitoring, and the start. The first process is asked first. */
const OF_ONE =
  /^(?:process_start_time_seconds|aviso_(?:build|store_|etcd_|backup_|opsview_)|aviso_telemetry_sources)/

/**
 * Adds up families of the same name: series by series. What is about the store or the start is taken from the first that has it.
 *
 * @param processes The families of each, the most telling one first.
 */
export function sumFamilies(processes: readonly (readonly MetricFamily[])[]): readonly MetricFamily[] {
  const [first = [], ...others] = processes
  if (others.length === 0) return first
  const sums = new Map<string, MetricFamily>()
  for (const family of processes.flat()) {
    const before = sums.get(family.name)
    if (before === undefined) sums.set(family.name, family)
    else if (!isOfOne(family))
      sums.set(family.name, { ...before, samples: addUp(before.samples, family.samples) })
  }
  return [...sums.values()]
}

/** Counters of a store are of each process, and added up. */
function isOfOne({ name, kind }: MetricFamily): boolean {
  return kind === 'info' || (kind === 'gauge' && OF_ONE.test(name))
}

function addUp(one: readonly MetricSample[], other: readonly MetricSample[]): readonly MetricSample[] {
  const sums = new Map(one.map((sample) => [seriesOf(sample), sample]))
  for (const sample of other) {
    const series = seriesOf(sample)
    const before = sums.get(series)
    sums.set(series, before === undefined ? sample : { ...before, value: before.value + sample.value })
  }
  return [...sums.values()]
}

function seriesOf({ suffix, labels }: MetricSample): string {
  return JSON.stringify([suffix, labels])
}

/** What stays of a process that has ended: its counters, which must never fall. */
export function countersOf(families: readonly MetricFamily[]): readonly MetricFamily[] {
  return families.filter(({ kind }) => kind === 'counter' || kind === 'histogram')
}
