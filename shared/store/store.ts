/**
 * The store port: what the rest of the system may ask of the key-value store. Semantics are etcd v3's.
 *
 * Flow: ingest → **store** → hub → listener
 *
 * Adapters: `embedded/store.ts` (SQLite, in a file or in memory), `etcd/store.ts` (etcd, over one of three transports).
 * All of them pass `tests/contract/store.contract.ts`.
 *
 * @module
 */

/**
 * A position in the store's history, counted in store writes from 1. A `bigint`, because etcd revisions are
 * int64 and a `number` is exact only to 2^53; a decimal string on every wire.
 */
export type Revision = bigint

/** Half-open interval of keys in byte order: `key` ≤ k < `end`. */
export interface KeyRange {
  readonly key: Uint8Array
  /** Exclusive end. Absent: the one key `key`. `Uint8Array [0]`: every key from `key` on (etcd's convention). */
  readonly end?: Uint8Array
}

export interface KeyValue {
  readonly key: Uint8Array
  /** Empty for a `keysOnly` read and for the key of a deletion. */
  readonly value: Uint8Array
  /** Revision of the write that created this generation of the key; 0n in a deletion. */
  readonly createRevision: Revision
  /** Revision of the last write (or of the deletion). */
  readonly modRevision: Revision
  /** Writes since creation, from 1; 0n in a deletion. */
  readonly version: bigint
  /** Lease that the key hangs on, 0n for none. */
  readonly lease: bigint
}

export interface RangeRequest extends KeyRange {
  /** Read the store as it was at this revision; absent: now. */
  readonly revision?: Revision
  /** Most keys to return; absent or 0: no limit. */
  readonly limit?: number
  readonly sortTarget?: 'KEY' | 'VERSION' | 'CREATE' | 'MOD' | 'VALUE'
  readonly sortOrder?: 'NONE' | 'ASCEND' | 'DESCEND'
  readonly keysOnly?: boolean
  readonly countOnly?: boolean
  readonly minModRevision?: Revision
  readonly maxModRevision?: Revision
  readonly minCreateRevision?: Revision
  readonly maxCreateRevision?: Revision
}

export interface RangeResult {
  /** The store's revision when the read was answered (not the revision asked for). */
  readonly revision: Revision
  readonly kvs: readonly KeyValue[]
  /** Keys in the interval at that revision, whatever the limit (etcd: before the min/max filters). */
  readonly count: bigint
  /** Whether the limit cut the answer. */
  readonly more: boolean
}

/** A guard of a transaction: all of them must hold for `success` to run. */
export type Compare =
  | {
      readonly key: Uint8Array
      readonly target: 'MOD' | 'CREATE' | 'VERSION' | 'LEASE'
      readonly result: CompareResult
      readonly value: bigint
    }
  | {
      readonly key: Uint8Array
      readonly target: 'VALUE'
      readonly result: CompareResult
      readonly value: Uint8Array
    }

export type CompareResult = 'EQUAL' | 'NOT_EQUAL' | 'GREATER' | 'LESS'

export type StoreOperation =
  | {
      readonly kind: 'put'
      readonly key: Uint8Array
      readonly value: Uint8Array
      readonly lease?: bigint | undefined
    }
  | { readonly kind: 'delete'; readonly range: KeyRange }
  | { readonly kind: 'range'; readonly range: RangeRequest }

/** Guards, and the two branches that they choose from. */
export interface GuardedOperations {
  readonly compare: readonly Compare[]
  readonly success: readonly StoreOperation[]
  readonly failure?: readonly StoreOperation[]
}

export interface TxnRequest extends GuardedOperations {
  /**
   * Run after `success`, in the same revision. Each has guards of its own, which see the store as it was before the transaction: what one of
   * them lacks keeps no other one back.
   */
  readonly parts?: readonly GuardedOperations[] | undefined
}

export type OperationResult =
  | { readonly kind: 'put' }
  | { readonly kind: 'delete'; readonly deleted: bigint }
  | { readonly kind: 'range'; readonly result: RangeResult }

/** What became of guarded operations. */
export interface GuardedResult {
  readonly succeeded: boolean
  /** One result per operation of the branch that ran, in order. */
  readonly results: readonly OperationResult[]
}

export interface TxnResult extends GuardedResult {
  /** The store's revision after the transaction; with writes, the revision of all of them. */
  readonly revision: Revision
  /** One per part, in order. Absent where the request has none, or where they did not run because `success` did not. */
  readonly parts?: readonly GuardedResult[]
}

export interface StoreEvent {
  readonly kind: 'put' | 'delete'
  /** For a deletion only `key` and `modRevision` carry meaning. */
  readonly kv: KeyValue
}

/**
 * What a watch yields.
 * - `created` comes first, once: the watch is open; `revision` is the store's revision at that moment.
 * - `revision` is one **whole** revision: every event of it inside the range, in the order they were written.
 * - `progress`: everything up to and including `revision` has been yielded.
 */
export type WatchMessage =
  | { readonly kind: 'created'; readonly revision: Revision }
  | { readonly kind: 'revision'; readonly revision: Revision; readonly events: readonly StoreEvent[] }
  | { readonly kind: 'progress'; readonly revision: Revision }

export interface WatchRequest extends KeyRange {
  /** First revision to yield; absent: the first one after `created`. */
  readonly from?: Revision
  /** Ends the watch: the iterator returns (it does not throw). */
  readonly signal?: AbortSignal
}

/** Limits one call. */
export interface CallOptions {
  readonly signal?: AbortSignal
  /** Told how many keys a read went through only to count them, which the answer does not show. It may be told more than once, or never. */
  readonly onCounted?: ((keys: number) => void) | undefined
}

export interface StoreStatus {
  /** e.g. `etcd 3.5.30 over gRPC`, `embedded`. */
  readonly version: string
  readonly revision: Revision
  /** Bytes on disk and bytes in use; 0 where there is no file. */
  readonly sizeBytes: number
  readonly sizeInUseBytes: number
}

/**
 * The port. Every method throws `AvisoError`:
 * - `ERR_STORE_UNAVAILABLE`: certainly nothing was done; trying again is safe.
 * - `ERR_OUTCOME_UNKNOWN`: a write was sent and may have been, or may yet be, applied.
 * - `ERR_STORE_FULL`: the store refuses writes until an operator makes room.
 * - `ERR_HISTORY_COMPACTED` ({@link HistoryCompacted}): the revision asked for is gone.
 * - `ERR_FUTURE_POSITION`: the revision asked for does not exist yet (`range` only: a `watch` waits for it).
 * - `ERR_TOO_LARGE`, `ERR_INVALID_RANGE`: the request can never succeed.
 * - `ERR_STORE_PROTOCOL`: the answer did not come from a store.
 * - `ERR_STORE_DAMAGED` (`KeyDamaged` where the key is known): what is stored does not agree with its checksum (embedded only). Nothing
 *   was done. Other keys are served.
 */
export interface Store {
  range(request: RangeRequest, options?: CallOptions): Promise<RangeResult>

  /**
   * One atomic revision. At most {@link MAX_TXN_OPERATIONS} per branch, where a part counts as one operation of `success`. The branches of a
   * part have what that leaves, each part as much. A key may be put once, parts included.
   */
  txn(request: TxnRequest, options?: CallOptions): Promise<TxnResult>

  /**
   * One watch attempt: yields in revision order and **ends at the first disturbance** by throwing (`ERR_STORE_UNAVAILABLE`,
   * `ERR_HISTORY_COMPACTED`, …). `shared/hub/source/follow.ts` is the one that resumes. Leaving the loop releases the upstream.
   */
  watch(request: WatchRequest): AsyncIterable<WatchMessage>

  /** Forgets history before `revision` (which stays readable). */
  compact(revision: Revision, options?: CallOptions): Promise<void>

  /** @returns the id of a new lease that lives `ttlSeconds` (the store may lengthen it). Keys put with it are deleted when it ends. */
  grantLease(ttlSeconds: number, options?: CallOptions): Promise<bigint>

  status(options?: CallOptions): Promise<StoreStatus>

  /** Releases files, sockets and running watches. Idempotent. */
  close(): Promise<void>
}

/** etcd's default `--max-txn-ops`. */
export const MAX_TXN_OPERATIONS = 128

/** Kept below etcd's default `--max-request-bytes` of 1.5 MiB, which counts the protobuf form. */
export const MAX_TXN_BYTES = 1_400_000
