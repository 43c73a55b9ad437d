/**
 * The bounds of reading the store for streams, each with its reason.
 *
 * @module
 */

/** Frames are joined up to this size, because larger writes are no cheaper, and smaller ones cost more. */
export const CHUNK_BYTES = 64 * 1024

/** How many revisions, and bytes of their entries, the upstream takes before the streams get their turn. */
export const TURN_REVISIONS = 256
export const TURN_BYTES = 1024 * 1024

/**
 * The upstream starts at the newest write to an internal key, if that is at most this far back. So a reader of history surely sees an event
 * where the ring begins. This many revisions are read in less than a second.
 */
export const START_BACK_REVISIONS = 10_000n

/** Readers that page through the store at once. More would slow the writers. */
export const HISTORY_READERS = 8

/**
 * A page of history is full at this size: four chunks, some milliseconds of reading. A reader is at most one page ahead of the streams, which
 * is enough to wait for the store while they wait for their listeners.
 */
export const HISTORY_PAGE_BYTES = 256 * 1024

/** Memory for pages of history. After a restart the ring is empty, and streams that come back together need the same pages. */
export const HISTORY_CACHE_BYTES = 16 * 1024 * 1024

/**
 * The same while at most one stream needs history: the page that the stream is in, and the one behind it. What the stream leaves is then
 * dropped while it is young, which takes a sixth of the processor time off a replay.
 */
export const HISTORY_ALONE_BYTES = 512 * 1024

/**
 * Readers start at a multiple of this, so that listeners at slightly different positions share pages, in whatever order they come. At most
 * 2,000 notifications are read in vain, when every revision is a full transaction: some 10 ms.
 */
export const HISTORY_ALIGNMENT = 16n

/**
 * A reader gives way to a waiting stream after this much, which takes some 100 ms. It is counted in bytes, because a revision has 1 to 126
 * notifications.
 */
export const HISTORY_TURN_BYTES = 16 * 1024 * 1024

/** A stream that is at most this far ahead of a reader waits for that reader at first, instead of reading the same again. */
export const HISTORY_SHARED_REVISIONS = 10_000n

/**
 * It waits while the reader passes this much: four pages, some 10 ms. Then it gets a reader of its own, because the revisions between may
 * have any size.
 */
export const HISTORY_PATIENCE_BYTES = 1024 * 1024

/** An idle reader is released after this time, because it holds a watch of the store. */
export const HISTORY_HOLD_MS = 2_000

/** The same while other streams wait for a reader. It is longer than a listener on a good line needs for a page. */
export const HISTORY_CONTENDED_HOLD_MS = 100
