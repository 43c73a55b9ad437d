/**
 * Computes how long a client waits before it tries again.
 *
 * @module
 */

/** Upper bound of the first wait: short, so that a client finds a restarted service quickly. */
export const BACK_OFF_FIRST_MS = 500
/** Longest wait, unless the configuration sets another. */
export const BACK_OFF_LAST_MS = 30_000

/** The bounds of a back-off: upper bounds of its first and of its longest wait. */
export interface BackOffLimits {
  readonly firstMs: number
  readonly lastMs: number
}

/**
 * Full jitter: a random wait up to `firstMs` · 2^attempt. So clients that lost the same service do not all come back at the same time.
 *
 * @param attempt Number of failures before this one, from 0.
 * @param random A number in [0, 1).
 */
export function backOffMs(attempt: number, { firstMs, lastMs }: BackOffLimits, random: () => number): number {
  return Math.round(random() * Math.min(lastMs, firstMs * 2 ** Math.min(attempt, 30)))
}

/** The longest wait that a server may ask for. */
const RETRY_AFTER_MAX_MS = 300_000

/** Milliseconds of a `Retry-After` header, which holds seconds or a date; `undefined` when it is absent or cannot be read. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS)
}
