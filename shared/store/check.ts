/**
 * Checks requests before they reach a store, whichever store that is. etcd's rules, and stricter where etcd would silently
 * read something else than was asked (an empty range end, a revision of 0).
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { compareBytes, isEndOfKeys, isInRange } from '#shared/bytes/bytes.ts'
import {
  MAX_TXN_BYTES,
  MAX_TXN_OPERATIONS,
  type KeyRange,
  type RangeRequest,
  type Revision,
  type GuardedOperations,
  type StoreOperation,
  type TxnRequest,
  type WatchRequest,
} from './store.ts'

/** etcd's `MaxLeaseTTL`. */
const MAX_LEASE_SECONDS = 9_000_000_000

/** Ids are positive int64. */
const MAX_LEASE_ID = 2n ** 63n - 1n

/** Bytes that an operation's fields other than key and value take at most in etcd's protobuf form. */
const OPERATION_OVERHEAD_BYTES = 32

/** @throws {AvisoError} `ERR_INVALID_RANGE` */
export function checkRange(request: RangeRequest): void {
  checkInterval(request)
  const { revision, limit } = request
  if (revision !== undefined) checkRevision(revision)
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0)) {
    throw invalid('The limit of a range must be a whole number, 0 for none')
  }
}

/** @throws {AvisoError} `ERR_INVALID_RANGE` */
export function checkWatch(request: WatchRequest): void {
  checkInterval(request)
  const { from, key, end } = request
  if (from !== undefined) checkRevision(from)
  if (end !== undefined && !isEndOfKeys(end) && compareBytes(key, end) >= 0) {
    throw invalid('The range to watch is empty: its end must lie behind its key')
  }
}

/**
 * @returns The request's size in bytes, no smaller than etcd counts it.
 * @throws {AvisoError} `ERR_INVALID_RANGE`, or `ERR_TOO_LARGE` for too many operations or bytes.
 */
export function checkTxn(request: TxnRequest): number {
  const { success, failure = [], parts = [] } = request
  const width = Math.max(widthOf(request), success.length + parts.length)
  // etcd's rule for a transaction in a transaction.
  const nested = parts.reduce((sum, part) => Math.max(sum, widthOf(part)), 0)
  if (width + nested > MAX_TXN_OPERATIONS) {
    throw new AvisoError(
      'ERR_TOO_LARGE',
      `A transaction takes at most ${MAX_TXN_OPERATIONS} operations: split it`,
    )
  }
  const bytes = parts.reduce((sum, part) => sum + checkGuarded(part), checkGuarded(request))
  if (bytes > MAX_TXN_BYTES) {
    throw new AvisoError(
      'ERR_TOO_LARGE',
      `A transaction takes at most ${MAX_TXN_BYTES} bytes: split it or store less`,
    )
  }
  checkWrittenOnce(parts.length === 0 ? success : [...success, ...parts.flatMap(bothBranches)])
  checkWrittenOnce(failure)
  return bytes
}

/** Operations of its longest list. */
function widthOf({ compare, success, failure = [] }: GuardedOperations): number {
  return Math.max(compare.length, success.length, failure.length)
}

/** Which branch runs is not known before, and etcd refuses what two parts could write both. */
function bothBranches({ success, failure = [] }: GuardedOperations): readonly StoreOperation[] {
  return failure.length === 0 ? success : [...success, ...failure]
}

/** @returns its size in bytes, no smaller than etcd counts it. */
function checkGuarded({ compare, success, failure = [] }: GuardedOperations): number {
  let bytes = 0
  for (const { key, value } of compare) {
    checkKey(key)
    bytes += key.length + (typeof value === 'bigint' ? 0 : value.length) + OPERATION_OVERHEAD_BYTES
  }
  for (const operation of success) bytes += checkOperation(operation)
  for (const operation of failure) bytes += checkOperation(operation)
  return bytes
}

/** @throws {AvisoError} `ERR_INVALID_RANGE` */
export function checkRevision(revision: Revision): void {
  if (revision <= 0n) throw invalid('A revision is a positive number')
}

/** @throws {AvisoError} `ERR_INVALID_RANGE` */
export function checkTtl(seconds: number): void {
  if (!Number.isSafeInteger(seconds) || seconds <= 0 || seconds > MAX_LEASE_SECONDS) {
    throw invalid(`A lease lives for whole seconds, from 1 to ${MAX_LEASE_SECONDS}`)
  }
}

function checkInterval({ key, end }: KeyRange): void {
  checkKey(key)
  // etcd reads an empty end as "no end", so that an interval would turn into a single key.
  if (end?.length === 0) throw invalid('The end of a range must not be empty: leave it out to read one key')
}

function checkKey(key: Uint8Array): void {
  if (key.length === 0) throw invalid('A key must not be empty')
}

/** @returns Its size in bytes, no smaller than etcd counts it. */
function checkOperation(operation: StoreOperation): number {
  if (operation.kind === 'put') {
    checkKey(operation.key)
    const { lease = 0n } = operation
    if (lease < 0n || lease > MAX_LEASE_ID) throw invalid('A lease id is a number that the store gave out')
    return operation.key.length + operation.value.length + OPERATION_OVERHEAD_BYTES
  }
  if (operation.kind === 'range') checkRange(operation.range)
  else checkInterval(operation.range)
  return operation.range.key.length + (operation.range.end?.length ?? 0) + OPERATION_OVERHEAD_BYTES
}

/** A revision holds one write of a key, so a branch must not put a key twice, nor put what it also deletes. */
function checkWrittenOnce(operations: readonly StoreOperation[]): void {
  let deletions: KeyRange[] | undefined
  let puts = 0
  for (const operation of operations) {
    if (operation.kind === 'put') puts++
    else if (operation.kind === 'delete') (deletions ??= []).push(operation.range)
  }
  if (puts < 2 && deletions === undefined) return
  // By hashes: sorting the keys compares each one some seven times.
  const slots: (Uint8Array | undefined)[] = Array.from({ length: slotsFor(puts) })
  for (const operation of operations) {
    if (operation.kind !== 'put') continue
    const { key } = operation
    if (!takeSlot(slots, key) || deletions?.some((range) => isInRange(key, range)) === true)
      throw invalid('A transaction writes each key once: put the second write into the next transaction')
  }
}

/** Twice as many as keys or more, and a power of two. */
function slotsFor(keys: number): number {
  return 2 ** (33 - Math.clz32(keys))
}

/** @returns Whether the key was not there. */
function takeSlot(slots: (Uint8Array | undefined)[], key: Uint8Array): boolean {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + (key[index] ?? 0)) | 0
  // The last bytes of keys differ most, and alone they would choose neighbours.
  let slot = Math.imul(hash, 0x9e3779b1) >>> Math.clz32(slots.length - 1)
  for (;;) {
    const other = slots[slot]
    if (other === undefined) break
    if (compareBytes(other, key) === 0) return false
    slot = (slot + 1) & (slots.length - 1)
  }
  slots[slot] = key
  return true
}

function invalid(message: string): AvisoError {
  return new AvisoError('ERR_INVALID_RANGE', message)
}
