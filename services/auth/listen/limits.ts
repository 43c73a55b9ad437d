/**
 * Bounds of the listening service.
 *
 * @module
 */

/** Limits of one request. */
export interface AuthLimits {
  /** Largest body of a request. */
  readonly bodyBytes: number
  /** A body must be complete after this long. */
  readonly bodyTimeoutMs: number
  /** Seconds after which a stream is ended; the client goes on with a new stream. The operator sets it. */
  readonly maxAgeSeconds: number
}

/** The longest honest request of 1.x is a list of values. 16 KiB hold over a thousand values. */
const BODY_BYTES = 16 * 1024
/** What 2.x accepts. The longest honest request there is a polygon of 60 KiB, written with much space. */
export const LISTEN_BODY_BYTES = 256 * 1024
/** Ten seconds are enough for either over any line, and too short to collect half-open requests. */
const BODY_TIMEOUT_MS = 10_000

export const BODY_LIMITS = { bodyBytes: BODY_BYTES, bodyTimeoutMs: BODY_TIMEOUT_MS }
