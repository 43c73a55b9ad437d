/**
 * What the stores of our own (`memory.ts`, `embedded.ts`) differ in: where versions, history and leases are kept.
 * Everything else about etcd's semantics stands once, in `store.ts`.
 *
 * @module
 */

import type { KeyRange, KeyValue, Revision, StoreEvent } from '../store.ts'

/** etcd's revision of an empty store: the first write is revision 2. */
export const FIRST_REVISION = 1n

/** All writes of one revision, in the order they were written. */
export interface RevisionEvents {
  readonly revision: Revision
  readonly events: readonly StoreEvent[]
}

/** A bounded stretch of history. */
export interface HistoryPage {
  /** Revisions with events in the range asked for, ascending. */
  readonly revisions: readonly RevisionEvents[]
  /** Everything up to and including this revision is in the page. */
  readonly through: Revision
}

/** Keys of an interval. */
export interface Scan {
  /** In byte order, at most `limit` of them. */
  readonly kvs: readonly KeyValue[]
  /** All keys in the interval. */
  readonly count: number
}

/**
 * Synchronous storage. Reads see the running transaction's writes. Callers have checked ranges and revisions, and write
 * only inside `transaction`.
 */
export interface Backend {
  /** Name for `status()`. */
  readonly version: string
  /** Revision of the last write, 1 in an empty store. Read from the storage itself, so it is true after any failure. */
  revision(): Revision
  /** Oldest readable revision, 0n while nothing was compacted. */
  compacted(): Revision
  /** Runs `work` as one durable unit: on disk when it returns, undone when it throws. */
  transaction<Result>(work: () => Result): Result

  /** The key as it is now. */
  get(key: Uint8Array): KeyValue | undefined
  /** Keys alive at a revision, `undefined`: now. */
  scan(range: KeyRange, revision: Revision | undefined, limit: number): Scan
  /** All keys alive now, without their values. */
  keys(range: KeyRange): readonly Uint8Array[]
  /** Writes one event. Its revision is the last one or a new one; a key has one event in a revision. */
  append(event: StoreEvent): void
  /** History from a revision on, up to and including `last`: at least one revision, and a bounded amount. */
  history(range: KeyRange, from: Revision, last: Revision): HistoryPage

  /** Makes `revision` the oldest readable one. */
  setCompacted(revision: Revision): void
  /** Drops a bounded amount of what {@link setCompacted} made unreadable. @returns Where to go on; `undefined` at the end. */
  compactStep(position: CompactPosition | undefined): CompactPosition | undefined
  /** Gives a bounded amount of room back. @returns Whether there may be more. */
  reclaim(): boolean

  /** @returns A new lease's id. */
  addLease(endsAt: number): bigint
  hasLease(id: bigint): boolean
  removeLease(id: bigint): void
  /** Ids of leases that end at or before a time (ms since the epoch); a bounded number, the earliest first. */
  endedLeases(now: number): readonly bigint[]
  /** The keys that hang on a lease, in byte order. */
  leaseKeys(id: bigint): readonly Uint8Array[]

  /** Whether a failure means that there is no room left. */
  isFull(error: unknown): boolean
  sizeBytes(): number
  close(): void
}

/** How far a compaction has come; each backend has its own idea of it. */
export type CompactPosition = number | Uint8Array
