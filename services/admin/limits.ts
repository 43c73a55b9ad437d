/**
 * The bounds of the admin's work, each with its reason.
 *
 * @module
 */

import { MAX_TXN_OPERATIONS } from '#shared/store/store.ts'

/** Keys deleted by one transaction: each costs a read, which tells its size, and a deletion. */
export const DELETE_KEYS = Math.floor((MAX_TXN_OPERATIONS - 4) / 2)

/** Keys of one page. A page of keys without values is some 100 KiB. */
export const PAGE_KEYS = { first: 64, most: 1_000 } as const

/**
 * A store counts all keys of a range before it answers with the first of them, and lets no write in meanwhile. So ranges are
 * kept to about this many pages.
 */
export const RANGE_PAGES = 8

/** Rest after each request to the store, as a share of the time that it took: the store has two thirds of its time for others. */
export const REST_SHARE = 2

/** Shortest rest, and the longest: a store that was slow once is not left alone for long. */
export const REST_MS = { least: 1, most: 500 } as const

/** How often a running job tells how far it is; also how soon another admin sees it is gone, in multiples of it. */
export const PROGRESS_MS = 5_000

/** A job that has not told anything for so long has lost its admin: the longest single step is one member's defragmentation. */
export const ABANDONED_MS = 6 * 60_000

/** A lost race for a key is planned again this often: each loss means that another admin has done the work. */
export const CAS_ATTEMPTS = 5

/** A call that the store could not take is tried again this often, with {@link RETRY_MS} between. */
export const RETRIES = 6
export const RETRY_MS = 2_000
