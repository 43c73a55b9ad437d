/**
 * The hub's bounds, each with its reason.
 *
 * @module
 */

/** Bounds of a hub. All but the last are an operator's (`services/auth/settings.ts`). */
export interface HubLimits {
  /** Bytes of recent revisions and their encoded frames kept for all streams together. */
  readonly ringBytes: number
  /** Most streams at once; further ones are refused with `ERR_OVERLOADED`. */
  readonly maxSubscribers: number
  /** Seconds without a write after which an idle stream gets a heartbeat. */
  readonly heartbeatSeconds: number
  /** Longest life of a stream. */
  readonly maxAgeSeconds: number
  /** Seconds a listener may leave its stream unread before it is ended. */
  readonly stallSeconds: number
  /** Seconds without an upstream after which all streams are ended. */
  readonly outageSeconds: number
}

/** Longer than any election; after that another instance may well have a store. */
export const OUTAGE_SECONDS = 30

/** Joined chunks kept because several streams need the same ones at about the same time: 32 full ones, and each is quickly made anew. */
export const SHARED_CHUNKS_BYTES = 2 * 1024 * 1024

/** Streams looked at before others get their turn: a heartbeat takes about 15 µs. */
export const SWEEP_SLICE = 256

/** How often heartbeats, ages and stalls are looked at: one timer for all streams, so they are exact to a second. */
export const SWEEP_MS = 1_000

/** How long a new stream waits to hear that its place in history can be read; a busy one is answered and told in the stream. */
export const HISTORY_WAIT_MS = 3_000

/** How long a new stream waits for an upstream that has not stood yet. */
export const START_WAIT_MS = 5_000
