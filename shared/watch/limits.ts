/**
 * The hub's bounds, each with its reason.
 *
 * @module
 */

/** Bounds that an operator may set. */
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

/** Defaults of {@link HubLimits}. */
export const DEFAULT_HUB_LIMITS: HubLimits = {
  // Some 30,000 notifications: a listener that comes back after a restart finds its place without reading the store.
  ringBytes: 32 * 1024 * 1024,
  // 10,000 idle streams take about 300 MB in the hungriest runtime.
  maxSubscribers: 10_000,
  // Bun closes a connection that is silent for 10 s.
  heartbeatSeconds: 5,
  // As in aviso 2.x.
  maxAgeSeconds: 3_600,
  // Long enough for a laptop's network to come back, short enough that dead peers do not pile up.
  stallSeconds: 60,
  // Longer than any election; after that another instance may well have a store.
  outageSeconds: 30,
}

/** Frames are joined up to this size: larger writes no longer get cheaper, smaller ones do not. */
export const CHUNK_BYTES = 64 * 1024

/** Joined chunks kept because several streams need the same ones at about the same time: 32 full ones, and each is quickly made anew. */
export const SHARED_CHUNKS_BYTES = 2 * 1024 * 1024

/** Revisions taken from upstream before the streams get their turn, and the bytes of their entries. */
export const TURN_REVISIONS = 256
export const TURN_BYTES = 1024 * 1024

/**
 * The upstream starts at the newest write of ours if that is at most this far back, so that a reader of history surely sees an event where
 * the ring begins. Read in less than a second.
 */
export const START_BACK_REVISIONS = 10_000n

/** Streams looked at before others get their turn: a heartbeat takes about 15 µs. */
export const SWEEP_SLICE = 256

/** How often heartbeats, ages and stalls are looked at: one timer for all streams, so they are exact to a second. */
export const SWEEP_MS = 1_000

/** Streams that page through the store at once; more would crowd out the writers. */
export const HISTORY_READERS = 8

/** A page of history is full at this size: four chunks of a batch's notifications, some milliseconds of reading. */
export const HISTORY_PAGE_BYTES = 256 * 1024

/** Pages kept because streams that come back together need the same ones: after a restart the ring is empty. */
export const HISTORY_CACHE_BYTES = 16 * 1024 * 1024

/**
 * Readers start at a multiple of this, so that listeners at slightly different positions share pages whatever the order they come in. At
 * most 8 MiB are read in vain, where every revision is a full transaction.
 */
export const HISTORY_ALIGNMENT = 64n

/**
 * A reader gives way to a waiting stream after this many revisions: a second or less. A stream this far ahead of a reader waits for it
 * instead of reading the same again.
 */
export const HISTORY_TURN_REVISIONS = 10_000n

/** A reader that nobody asks for more is released after this time, for it holds a watch of the store. */
export const HISTORY_HOLD_MS = 2_000

/** The same where other streams wait for a reader: longer than a listener on a good line takes for a page. */
export const HISTORY_CONTENDED_HOLD_MS = 100

/** How long a new stream waits to hear that its place in history can be read; a busy one is answered and told in the stream. */
export const HISTORY_WAIT_MS = 3_000

/** How long a new stream waits for an upstream that has not stood yet. */
export const START_WAIT_MS = 5_000
