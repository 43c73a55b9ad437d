/**
 * Evaluation of reads and guarded transactions over a {@link Backend}, as etcd does it.
 *
 * @module
 */

import { AvisoError, HistoryCompacted } from '#shared/errors.ts'
import { compareBytes } from '#shared/bytes/bytes.ts'
import type { Backend } from './backend.ts'
import type {
  Compare,
  CompareResult,
  KeyValue,
  OperationResult,
  RangeRequest,
  RangeResult,
  Revision,
  StoreEvent,
  StoreOperation,
  TxnRequest,
  TxnResult,
} from '../store.ts'

const NO_BYTES = new Uint8Array()

/** What a transaction did. */
export interface AppliedTxn {
  readonly result: TxnResult
  /** What it wrote, empty for none. All of it has the result's revision. */
  readonly events: readonly StoreEvent[]
}

/** Answers a read. `revision` is the store's, or that of the transaction around the read. */
export function evaluateRange(backend: Backend, request: RangeRequest, revision: Revision): RangeResult {
  checkReadable(backend, request.revision, revision)
  const { sortTarget = 'KEY', limit = 0 } = request
  // etcd sorts by other targets in ascending order when no order is given.
  const sortOrder =
    sortTarget === 'KEY'
      ? (request.sortOrder ?? 'NONE')
      : request.sortOrder === 'DESCEND'
        ? 'DESCEND'
        : 'ASCEND'
  const inKeyOrder = sortTarget === 'KEY' && sortOrder !== 'DESCEND'
  const filters = rangeFilters(request)
  const scanLimit =
    request.countOnly === true ? 0 : limit > 0 && inKeyOrder && filters.length === 0 ? limit + 1 : Infinity
  const { kvs: scanned, count } = backend.scan(request, request.revision, scanLimit)
  let kvs = filters.length === 0 ? [...scanned] : scanned.filter((kv) => filters.every((holds) => holds(kv)))
  if (!inKeyOrder) kvs.sort(sorter(sortTarget, sortOrder === 'DESCEND' ? -1 : 1))
  const more = limit > 0 && kvs.length > limit
  if (more) kvs = kvs.slice(0, limit)
  if (request.keysOnly === true) kvs = kvs.map((kv) => ({ ...kv, value: NO_BYTES }))
  return { revision, kvs, count: BigInt(count), more }
}

/** Evaluates the guards and applies the branch they choose. Throws before the first write or not at all. */
export function applyTxn(backend: Backend, request: TxnRequest, current: Revision): AppliedTxn {
  const succeeded = request.compare.every((guard) => holds(guard, backend.get(guard.key)))
  const branch = succeeded ? request.success : (request.failure ?? [])
  for (const operation of branch) checkApplicable(backend, operation, current)
  const events: StoreEvent[] = []
  const revision = (): Revision => (events.length > 0 ? current + 1n : current)
  const results = branch.map((operation): OperationResult => {
    switch (operation.kind) {
      case 'put': {
        events.push(write(backend, putEvent(backend.get(operation.key), operation, current + 1n)))
        return { kind: 'put' }
      }
      case 'delete': {
        const keys = backend.keys(operation.range)
        for (const key of keys) events.push(write(backend, deleteEvent(key, current + 1n)))
        return { kind: 'delete', deleted: BigInt(keys.length) }
      }
      case 'range': {
        return { kind: 'range', result: evaluateRange(backend, operation.range, revision()) }
      }
    }
  })
  return { result: { revision: revision(), succeeded, results }, events }
}

/** Deletes keys in one revision, as the end of a lease does. */
export function applyDeletion(
  backend: Backend,
  keys: readonly Uint8Array[],
  revision: Revision,
): readonly StoreEvent[] {
  return keys.map((key) => write(backend, deleteEvent(key, revision)))
}

/** The refusal of a revision that is gone. */
export function compactedError(oldest: Revision): HistoryCompacted {
  return new HistoryCompacted(`This history is gone: the oldest revision to be had is ${oldest}`, oldest)
}

/** The refusal of a revision that is still to come. */
export function futureError(revision: Revision, current: Revision): AvisoError {
  return new AvisoError(
    'ERR_FUTURE_POSITION',
    `Revision ${revision} does not exist yet: the store is at ${current}`,
  )
}

function write(backend: Backend, event: StoreEvent): StoreEvent {
  backend.append(event)
  return event
}

function putEvent(
  before: KeyValue | undefined,
  operation: StoreOperation & { kind: 'put' },
  revision: Revision,
): StoreEvent {
  return {
    kind: 'put',
    kv: {
      // Copies: what is written must not change with the caller's buffers.
      key: operation.key.slice(),
      value: operation.value.slice(),
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0n) + 1n,
      lease: operation.lease ?? 0n,
    },
  }
}

function deleteEvent(key: Uint8Array, revision: Revision): StoreEvent {
  return {
    kind: 'delete',
    kv: { key, value: NO_BYTES, createRevision: 0n, modRevision: revision, version: 0n, lease: 0n },
  }
}

function checkApplicable(backend: Backend, operation: StoreOperation, current: Revision): void {
  if (operation.kind === 'range') checkReadable(backend, operation.range.revision, current)
  if (operation.kind !== 'put' || operation.lease === undefined || operation.lease === 0n) return
  if (!backend.hasLease(operation.lease))
    throw new AvisoError('ERR_NOT_FOUND', 'The lease is unknown or has ended: take a new one')
}

function checkReadable(backend: Backend, revision: Revision | undefined, current: Revision): void {
  if (revision === undefined) return
  if (revision > current) throw futureError(revision, current)
  if (revision < backend.compacted()) throw compactedError(backend.compacted())
}

function holds(guard: Compare, kv: KeyValue | undefined): boolean {
  // As in etcd, the value of an absent key is neither equal nor unequal to anything.
  if (guard.target === 'VALUE')
    return kv !== undefined && decides(guard.result, compareBytes(kv.value, guard.value))
  const actual = kv === undefined ? 0n : numberOf(kv, guard.target)
  return decides(guard.result, actual === guard.value ? 0 : actual > guard.value ? 1 : -1)
}

function numberOf(kv: KeyValue, target: 'MOD' | 'CREATE' | 'VERSION' | 'LEASE'): bigint {
  switch (target) {
    case 'MOD':
      return kv.modRevision
    case 'CREATE':
      return kv.createRevision
    case 'VERSION':
      return kv.version
    case 'LEASE':
      return kv.lease
  }
}

function decides(result: CompareResult, order: number): boolean {
  switch (result) {
    case 'EQUAL':
      return order === 0
    case 'NOT_EQUAL':
      return order !== 0
    case 'GREATER':
      return order > 0
    case 'LESS':
      return order < 0
  }
}

function rangeFilters(request: RangeRequest): readonly ((kv: KeyValue) => boolean)[] {
  const { minModRevision = 0n, maxModRevision = 0n, minCreateRevision = 0n, maxCreateRevision = 0n } = request
  const filters: ((kv: KeyValue) => boolean)[] = []
  // 0 is "no filter", as in etcd.
  if (minModRevision > 0n) filters.push((kv) => kv.modRevision >= minModRevision)
  if (maxModRevision > 0n) filters.push((kv) => kv.modRevision <= maxModRevision)
  if (minCreateRevision > 0n) filters.push((kv) => kv.createRevision >= minCreateRevision)
  if (maxCreateRevision > 0n) filters.push((kv) => kv.createRevision <= maxCreateRevision)
  return filters
}

function sorter(
  target: NonNullable<RangeRequest['sortTarget']>,
  sign: 1 | -1,
): (a: KeyValue, b: KeyValue) => number {
  const difference = (a: bigint, b: bigint): number => (a === b ? 0 : a > b ? sign : -sign)
  switch (target) {
    case 'KEY':
      return (a, b) => sign * compareBytes(a.key, b.key)
    case 'VERSION':
      return (a, b) => difference(a.version, b.version)
    case 'CREATE':
      return (a, b) => difference(a.createRevision, b.createRevision)
    case 'MOD':
      return (a, b) => difference(a.modRevision, b.modRevision)
    case 'VALUE':
      return (a, b) => sign * compareBytes(a.value, b.value)
  }
}
