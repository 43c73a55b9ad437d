/**
 * Durations over a sliding window: what many senders measured becomes one count, average, maximum and minimum.
 *
 * 1.x meant to do the same and reports the last datagram instead (reference/aviso-v1.md §4.4).
 *
 * @module
 */

/** What is known of the durations of a time. Seconds. */
export interface Durations {
  readonly count: number
  readonly avg: number
  readonly max: number
  readonly min: number
}

/** Everything that was ever added. */
export interface DurationTotals {
  readonly count: number
  readonly sumSeconds: number
}

/** Durations by measurement. */
export interface TimeWindow {
  /** @returns `false` where there is no room for another measurement, or the figures contradict each other. */
  add(measurement: string, durations: Durations, at: number): boolean
  /** The durations since a time, exact to {@link SLICE_MS}; `undefined` where there are none. */
  since(measurement: string, at: number): Durations | undefined
  totals(measurement: string): DurationTotals
  /** Measurements with something in the window. */
  measurements(now: number): readonly string[]
}

/** Times are kept by slices of this length. */
export const SLICE_MS = 10_000
/** Measurements kept at once; names come from the network. */
export const MAX_MEASUREMENTS = 1_000
/** Of these, measurements that no service of Aviso sends: whoever invents names must not push out the real ones. */
export const MAX_FOREIGN_MEASUREMENTS = 200
/** Durations and counts above these are nobody's; their sums would lose digits. */
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
 * An empty window.
 *
 * @param windowMs How long durations are kept.
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
  return slices.at(-1)?.startsAt ?? 0
}

function isPlausible({ count, avg, max, min }: Durations): boolean {
  if (!Number.isInteger(count) || count < 0 || count > MAX_COUNT) return false
  if (![avg, max, min].every((value) => value >= 0 && value <= MAX_SECONDS)) return false
  // An average is rounded by whoever computed it.
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
    // Also where the clock went back: the newest slice takes it.
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
