/**
 * The bounds of the admin's work, each with its reason.
 *
 * @module
 */

import { MAX_TXN_OPERATIONS } from '#shared/store/store.ts'

/** Keys deleted by one transaction: each costs a guard and a deletion, and there are guards besides. Measured: 0.05 ms each in etcd. */
export const DELETE_KEYS = MAX_TXN_OPERATIONS - 8

/** Keys of one page, without their values: some 100 KiB. */
export const PAGE_KEYS = { first: 64, most: 1_000 } as const

/** Keys of one page with their values: with the largest that the ingest takes it is 32 MiB, half of what an answer may be. */
export const VALUE_PAGE_KEYS = { first: 60, most: 2 * DELETE_KEYS } as const

/** Where other writers have left values that are larger still. */
export const LARGE_VALUE_KEYS = 4

/**
 * A store counts all keys of a range before it answers with the first of them, and lets no write in meanwhile. So ranges are
 * kept to about this many pages.
 */
export const RANGE_PAGES = 8

/**
 * Rest after each request to the store, as a share of the time that it took: the store, and where it is embedded the event loop, has two
 * thirds of its time for others. Nobody waits for the cleaner, many wait for a publish.
 */
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
