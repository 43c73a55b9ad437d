/**
 * Says when a client tries again: by its own limits, and as the service asks.
 *
 * @module
 */

import type { BackOffLimits } from '#shared/time/back_off.ts'

/** Upper bound of the first wait: short, so that a client finds a restarted service quickly. */
const FIRST_MS = 500
/** Longest wait, unless the configuration sets another. */
const MOST_MS = 30_000
/** The longest wait that a server may ask for. */
const RETRY_AFTER_MAX_MS = 300_000

/** Bounds of the waits between two attempts. @param mostMs Longest wait; absent: 30 s. */
export function retryLimits(mostMs: number = MOST_MS): BackOffLimits {
  return { firstMs: FIRST_MS, mostMs }
}

/** Milliseconds of a `Retry-After` header, which holds seconds or a date; `undefined` when it is absent or cannot be read. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS)
}
