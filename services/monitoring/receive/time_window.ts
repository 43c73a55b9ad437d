/**
 * Keeps durations over a sliding window: the measurements of many senders become one count, average, maximum and minimum.
 *
 * 1.x meant to do the same, but reports only the last datagram (reference/aviso-v1.md §4.4).
 *
 * @module
 */

/** Summary of the durations in a period; seconds. */
export interface Durations {
  readonly count: number
  readonly avg: number
  readonly max: number
  readonly min: number
}

/** Summary of all durations since the start. */
export interface DurationTotals {
  readonly count: number
  readonly sumSeconds: number
}

/** Durations by measurement. */
export interface TimeWindow {
  /** @returns `false` when there are too many measurements or the figures contradict each other, otherwise `true` */
  add(measurement: string, durations: Durations, at: number): boolean
  /** The durations since a time, exact to {@link SLICE_MS}; `undefined` when there are none. */
  since(measurement: string, at: number): Durations | undefined
  totals(measurement: string): DurationTotals
  /** Measurements with durations in the window. */
  measurements(now: number): readonly string[]
}

/** Length of a slice. Durations are summed up by slices. */
export const SLICE_MS = 10_000
/** Most measurements kept at once. The number is bounded, because names come from the network. */
export const MAX_MEASUREMENTS = 1_000
/** Most measurements that no service of Aviso sends. So a sender that invents names cannot displace the real measurements. */
export const MAX_FOREIGN_MEASUREMENTS = 200
/** Largest plausible duration and count. Sums of larger ones would lose digits. */
const MAX_SECONDS = 1e9
const MAX_COUNT = 1e12

interface Slice {
  readonly startsAt: number
  count: number
  sum: number
  max: number
  min: number
}

interface Track {
  slices: Slice[]
  count: number
  sum: number
}

/**
 * Makes an empty window.
 *
 * @param windowMs How long durations are kept; milliseconds.
 * @param isKnown Whether a measurement is one that services of Aviso send.
 */
export function createTimeWindow(windowMs: number, isKnown: (measurement: string) => boolean): TimeWindow {
  const tracks = new Map<string, Track>()
  let foreign = 0

  const forget = (now: number): void => {
    for (const [measurement, track] of tracks) {
      if (isKnown(measurement) || lastOf(track) >= now - windowMs) continue
      tracks.delete(measurement)
      foreign--
    }
  }
  const trackOf = (measurement: string, at: number): Track | undefined => {
    const known = tracks.get(measurement)
    if (known !== undefined) return known
    const isForeign = !isKnown(measurement)
    if (isForeign && foreign >= MAX_FOREIGN_MEASUREMENTS) forget(at)
    if (tracks.size >= MAX_MEASUREMENTS || (isForeign && foreign >= MAX_FOREIGN_MEASUREMENTS))
      return undefined
    const track: Track = { slices: [], count: 0, sum: 0 }
    tracks.set(measurement, track)
    if (isForeign) foreign++
    return track
  }
  return {
    add(measurement, durations, at) {
      if (!isPlausible(durations)) return false
      const track = trackOf(measurement, at)
      if (track === undefined) return false
      if (durations.count > 0) addTo(track, durations, { at, windowMs })
      return true
    },
    since(measurement, at) {
      const slices = tracks.get(measurement)?.slices.filter(({ startsAt }) => startsAt + SLICE_MS > at) ?? []
      return merge(slices)
    },
    totals(measurement) {
      const { count = 0, sum = 0 } = tracks.get(measurement) ?? {}
      return { count, sumSeconds: sum }
    },
    measurements: (now) =>
      Array.from(tracks).flatMap(([measurement, track]) =>
        lastOf(track) >= now - windowMs ? [measurement] : [],
      ),
  }
}

/** Start of the newest slice. */
function lastOf({ slices }: Track): number {
  return slices.at(-1)?.startsAt ?? -Infinity
}

function isPlausible({ count, avg, max, min }: Durations): boolean {
  if (!Number.isInteger(count) || count < 0 || count > MAX_COUNT) return false
  if (![avg, max, min].every((value) => value >= 0 && value <= MAX_SECONDS)) return false
  // The sender may have rounded the average.
  const slack = max * 1e-6
  return min <= avg + slack && avg <= max + slack
}

function addTo(
  track: Track,
  { count, avg, max, min }: Durations,
  { at, windowMs }: { readonly at: number; readonly windowMs: number },
): void {
  track.count += count
  track.sum += count * avg
  const startsAt = Math.floor(at / SLICE_MS) * SLICE_MS
  const last = track.slices.at(-1)
  if (last !== undefined && last.startsAt >= startsAt) {
    // The newest slice takes the durations, also after the clock went back.
    last.count += count
    last.sum += count * avg
    last.max = Math.max(last.max, max)
    last.min = Math.min(last.min, min)
    return
  }
  track.slices.push({ startsAt, count, sum: count * avg, max, min })
  const oldest = startsAt - windowMs - SLICE_MS
  if ((track.slices[0]?.startsAt ?? startsAt) < oldest) {
    track.slices = track.slices.filter((slice) => slice.startsAt >= oldest)
  }
}

function merge(slices: readonly Slice[]): Durations | undefined {
  const count = slices.reduce((sum, slice) => sum + slice.count, 0)
  if (count === 0) return undefined
  return {
    count,
    avg: slices.reduce((sum, slice) => sum + slice.sum, 0) / count,
    max: slices.reduce((most, slice) => Math.max(most, slice.max), 0),
    min: slices.reduce((least, slice) => Math.min(least, slice.min), Infinity),
  }
}
