/**
 * How long to wait before trying again.
 *
 * @module
 */

/** First step of the back-off; the second half of a blink, so that a restarted service is found quickly. */
export const BACK_OFF_FIRST_MS = 500
/** Longest step, unless configuration says otherwise. */
export const BACK_OFF_LAST_MS = 30_000

/** Bounds of a back-off. */
export interface BackOffLimits {
  readonly firstMs: number
  readonly lastMs: number
}

/**
 * Full jitter: anything up to `firstMs` · 2^attempt, so that many clients that lost the same service come back spread in time.
 *
 * @param attempt Failures before this one, from 0.
 * @param random A number in [0, 1).
 */
export function backOffMs(attempt: number, { firstMs, lastMs }: BackOffLimits, random: () => number): number {
  return Math.round(random() * Math.min(lastMs, firstMs * 2 ** Math.min(attempt, 30)))
}

/** The longest wait a server may ask for. */
const RETRY_AFTER_MAX_MS = 300_000

/** Milliseconds of a `Retry-After` header, seconds or a date; `undefined` where there is none that can be read. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS)
}
