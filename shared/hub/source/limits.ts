/**
 * Bounds of reading the store for streams, each with its reason.
 *
 * @module
 */

/** Frames are joined up to this size: larger writes no longer get cheaper, smaller ones do not. */
export const CHUNK_BYTES = 64 * 1024

/** Revisions taken from upstream before the streams get their turn, and the bytes of their entries. */
export const TURN_REVISIONS = 256
export const TURN_BYTES = 1024 * 1024

/**
 * The upstream starts at the newest write of ours if that is at most this far back, so that a reader of history surely sees an event where
 * the ring begins. Read in less than a second.
 */
export const START_BACK_REVISIONS = 10_000n

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
