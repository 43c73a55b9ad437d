/**
 * Reads and writes durations in the form of the configuration: `15d`, `12h`, `90m`, `3600s`, `2w` (as in aviso 2.x's `retention_time`).
 *
 * @module
 */

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}

/**
 * Shortest retention. With a shorter one, a listener that restarts could lose notifications that it has not read, and the time between two
 * runs would matter more than the retention itself.
 */
export const MIN_RETENTION_MS = 3_600_000

/** Longest duration: 100 years. A date plus that is still a valid date. */
const MAX_DURATION_MS = 100 * 366 * 86_400_000

/** @returns the milliseconds; `undefined` when the text is not a whole positive number with a unit, or is too long a time */
export function parseDurationMs(text: string): number | undefined {
  const match = /^([1-9]\d{0,11})([smhdw])$/.exec(text)
  if (match === null) return undefined
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? Number.NaN)
  return ms <= MAX_DURATION_MS ? ms : undefined
}

/** Milliseconds in the largest unit that expresses them exactly, such as `15d`. */
export function formatDuration(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((name) => ms % (UNIT_MS[name] ?? 1) === 0)
  return unit === undefined ? `${ms}ms` : `${ms / (UNIT_MS[unit] ?? 1)}${unit}`
}
