/**
 * The bounds of the admin's work, each with its reason.
 *
 * @module
 */

import { MAX_TXN_OPERATIONS } from '#shared/store/store.ts'

/** Keys that one transaction deletes. Each needs a guard and a deletion; 8 stay free for other guards. Measured: 0.05 ms each in etcd. */
export const DELETE_KEYS = MAX_TXN_OPERATIONS - 8

/** Keys of one page without their values: about 100 KiB. */
export const PAGE_KEYS = { first: 64, most: 1_000 } as const

/** Keys of one page with their values. With the largest values that the ingest takes, a page is 32 MiB, half of the largest answer. */
export const VALUE_PAGE_KEYS = { first: 60, most: 2 * DELETE_KEYS } as const

/** Keys of one page when other writers have stored even larger values. */
export const LARGE_VALUE_KEYS = 4

/**
 * Most pages of one range, roughly. A store counts all keys of a range before it answers with the first, and takes no write meanwhile.
 */
export const RANGE_PAGES = 8

/**
 * Rest after each request to the store, as a multiple of the time that the request took. So the store (and the event loop, when the store
 * is embedded) has two thirds of its time for others. No client waits for the cleaner, but many wait for a publish.
 */
export const REST_SHARE = 2

/** Shortest and longest rest. The longest is short, because one slow answer must not stop the job for long. */
export const REST_MS = { least: 1, most: 500 } as const

/** Shortest time between two records of a running job's progress. */
export const PROGRESS_MS = 5_000

/** A job without news for so long has lost its admin. The longest single step is one member's defragmentation. */
export const ABANDONED_MS = 6 * 60_000

/** Attempts to write a key that other admins write, too. Each lost attempt means that another admin has made progress. */
export const CAS_ATTEMPTS = 5

/** Repetitions of a call when the store cannot be reached, with {@link RETRY_MS} between them. */
export const RETRIES = 6
export const RETRY_MS = 2_000
