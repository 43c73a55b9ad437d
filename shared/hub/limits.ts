/**
 * The hub's bounds, each with its reason.
 *
 * @module
 */

/** Bounds of a hub. An operator can set all but the last (`services/auth/settings.ts`). */
export interface HubLimits {
  /** Bytes of recent revisions and their encoded frames kept for all streams together. */
  readonly ringBytes: number
  /** Most streams at once; further ones are refused with `ERR_OVERLOADED`. */
  readonly maxSubscribers: number
  /** Seconds without a write after which an idle stream gets a heartbeat. */
  readonly heartbeatSeconds: number
  /** Longest life of a stream. */
  readonly maxAgeSeconds: number
  /** Seconds that a listener may leave its stream unread before the stream is ended. */
  readonly stallSeconds: number
  /** Seconds without an upstream after which all streams are ended. */
  readonly outageSeconds: number
}

/** Longer than any election in the store. After that, another instance may well reach a store. */
export const OUTAGE_SECONDS = 30

/** Memory for chunks that several streams need at about the same time. It holds 32 full ones, and a dropped chunk is quickly made again. */
export const SHARED_CHUNKS_BYTES = 2 * 1024 * 1024

/** Streams that one turn of the sweep checks: a heartbeat takes about 15 µs. */
export const SWEEP_SLICE = 256

/** How often heartbeats, ages and stalls are checked. One timer serves all streams, so they are exact to a second. */
export const SWEEP_MS = 1_000

/** How long a new stream waits for its place in history. If reading takes longer, the stream begins, and a failure is reported in it. */
export const HISTORY_WAIT_MS = 3_000

/** How long a new stream waits for an upstream that is not ready yet. */
export const START_WAIT_MS = 5_000

/** How often streams are ended while a hub drains: 10,000 streams in 10 s are 100 a step, which take about 2 ms. */
export const DRAIN_STEP_MS = 100

/** Share of a drain in which no stream is ended. Of 10 s it is 2 s: proxies probe once a second, and need an answer or two. */
export const DRAIN_NOTICE_SHARE = 0.2
