/**
 * Guarded transactions, as etcd applies them.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { compareBytes, nextKey, NO_BYTES } from '#shared/bytes/bytes.ts'
import type { SqlDatabase, SqlView } from '#shared/runtime/runtime.ts'
import type {
  Compare,
  CompareResult,
  GuardedOperations,
  GuardedResult,
  KeyRange,
  OperationResult,
  RangeRequest,
  RangeResult,
  Revision,
  StoreEvent,
  StoreOperation,
  TxnRequest,
  TxnResult,
} from '../store.ts'
import { checksumOf } from './checksum.ts'
import type { Counts } from './counts.ts'
import { HalfDone, type Written } from './group_commit.ts'
import type { KeyHead, KnownHeads } from './known_heads.ts'
import { readHead, readKey, readKeys, readRange } from './range.ts'
import { checkReadable } from './revisions.ts'
import { ID, MAX_REVISION_EVENTS } from './rows.ts'
import { isDamage } from './state.ts'
import { doNow } from './steps.ts'
import { countSome } from './walk.ts'

/** What transactions are applied to. */
export interface TxnParts {
  readonly database: SqlDatabase
  readonly view: SqlView
  readonly counts: Counts
  readonly known: KnownHeads
}

const NO_HEAD: KeyHead = { createRevision: 0n, modRevision: 0n, version: 0n, lease: 0n }

/**
 * Keys as they are before a transaction, by the bytes that name them in it. A transaction writes a key once, so this holds until its end; and
 * a key that is guarded and then put is read once where both name it by the same bytes.
 */
type Heads = Map<Uint8Array, KeyHead>

/**
 * Evaluates the guards and applies the branch they choose. Throws an `AvisoError` before the first write or not at all, {@link HalfDone} later.
 *
 * @param parts A database whose transaction is under way.
 */
export function applyTxn(parts: TxnParts, request: TxnRequest, current: Revision): Written<TxnResult> {
  const { database, known } = parts
  const revision = current + 1n
  const heads: Heads = new Map()
  const choose = ({ compare, success, failure = [] }: GuardedOperations): Chosen => {
    const succeeded = compare.every((guard) => holds(parts, guard, heads))
    return { succeeded, branch: succeeded ? success : failure }
  }
  // All guards are evaluated before the first write.
  const { succeeded, branch } = choose(request)
  const chosen = succeeded ? (request.parts ?? []).map(choose) : []
  const all = chosen.length === 0 ? branch : [...branch, ...chosen.flatMap((part) => part.branch)]
  for (const operation of all) checkApplicable(parts, operation, current)
  checkSize(database, all, current)
  const copies = createCopies(all)
  const events: StoreEvent[] = []
  const write = (event: StoreEvent): void => {
    append(database, event, events.length)
    known.written(event.kv.key, event.kind === 'put' ? event.kv : NO_HEAD)
    events.push(event)
  }
  const apply = (operation: StoreOperation): OperationResult => {
    switch (operation.kind) {
      case 'put': {
        write(toPut(database, operation, { revision, heads, copies }))
        return PUT_DONE
      }
      case 'delete': {
        const keys = readAllKeys(database, operation.range, current)
        for (const key of keys) write(toDeletion(key, revision))
        return { kind: 'delete', deleted: BigInt(keys.length) }
      }
      case 'range': {
        const isHalfDone = events.length > 0
        const at = isHalfDone ? revision : current
        return { kind: 'range', result: readNow(parts, operation.range, { revision: at, isHalfDone }) }
      }
    }
  }
  const results = branch.map(apply)
  const partResults = chosen.map((part): GuardedResult => {
    return { succeeded: part.succeeded, results: part.branch.map(apply) }
  })
  const value = {
    revision: events.length > 0 ? revision : current,
    succeeded,
    results,
    ...(chosen.length > 0 && { parts: partResults }),
  }
  return { value, events }
}

const PUT_DONE: OperationResult = { kind: 'put' }

/** The branch that guards have chosen. */
interface Chosen {
  readonly succeeded: boolean
  readonly branch: readonly StoreOperation[]
}

/** @throws {HalfDone} where the read fails after something was written, or at a damaged page. */
function readNow(
  parts: TxnParts,
  range: RangeRequest,
  { revision, isHalfDone }: { readonly revision: Revision; readonly isHalfDone: boolean },
): RangeResult {
  try {
    return doNow(readRange(parts, range, revision))
  } catch (error) {
    // SQLite commits nothing after a damaged page.
    if (isAvisoError(error) && (isHalfDone || isDamage(error.cause))) throw new HalfDone(error)
    throw error
  }
}

/** Deletes keys in one revision, at most `MAX_REVISION_EVENTS`. @returns What was written. */
export function deleteKeys(
  { database, known }: Pick<TxnParts, 'database' | 'known'>,
  keys: readonly Uint8Array[],
  revision: Revision,
): readonly StoreEvent[] {
  return keys.map((key, index) => {
    const event = toDeletion(key, revision)
    append(database, event, index)
    known.written(key, NO_HEAD)
    return event
  })
}

/** Writes one event. @param index Number of the events before it in its revision. */
export function append(database: SqlDatabase, { kind, kv }: StoreEvent, index: number): void {
  const place = 2 * index + (kind === 'delete' ? 1 : 0)
  database.run(
    `INSERT INTO events (id, created, version, lease, sum, key, value) VALUES (${ID}, ?, ?, ?, ?, ?, ?)`,
    Number(kv.modRevision),
    place,
    Number(kv.createRevision),
    Number(kv.version),
    kv.lease,
    checksumOf(database, kv, place),
    kv.key,
    kv.value,
  )
}

function toDeletion(key: Uint8Array, revision: Revision): StoreEvent {
  return { kind: 'delete', kv: { ...NO_HEAD, key, value: NO_BYTES, modRevision: revision } }
}

/** What a put writes at a revision. */
export function toPut(
  database: SqlDatabase,
  operation: Put,
  { revision, heads, copies }: PutParts,
): StoreEvent {
  const { key, value, lease = 0n } = operation
  const { createRevision, version } = heads.get(key) ?? headOf(database, key)
  const isNew = version === 0n
  // All numbers of a new key are shared, because each one weighs as much as a small object.
  return {
    kind: 'put',
    kv: {
      key: copies.copy(key),
      value: copies.copy(value),
      createRevision: isNew ? revision : createRevision,
      modRevision: revision,
      version: isNew ? 1n : version + 1n,
      lease,
    },
  }
}

type Put = StoreOperation & { readonly kind: 'put' }

/** What {@link toPut} needs besides the operation. */
interface PutParts {
  readonly revision: Revision
  readonly heads: Heads
  readonly copies: Copies
}

/**
 * Copies of keys and values, because what is written must not change with the caller's buffers. Those of a transaction share one buffer: a small
 * one weighs 250 bytes, and the ring and the watches keep revisions as a whole.
 */
export interface Copies {
  copy(bytes: Uint8Array): Uint8Array
}

/** @param operations Those whose keys and values are copied, each once. */
export function createCopies(operations: readonly StoreOperation[]): Copies {
  let length = 0
  for (const operation of operations)
    if (operation.kind === 'put') length += operation.key.length + operation.value.length
  const all = new Uint8Array(length)
  let used = 0
  return {
    copy: (bytes) => {
      all.set(bytes, used)
      const copy = new Uint8Array(all.buffer, used, bytes.length)
      used += bytes.length
      return copy
    },
  }
}

/** All keys of a range, those that the transaction under way has written, too. */
function readAllKeys(database: SqlDatabase, range: KeyRange, current: Revision): readonly Uint8Array[] {
  return doNow(readKeys(database, range, current + 1n, MAX_REVISION_EVENTS + 1))
}

/** @throws {AvisoError} `ERR_TOO_LARGE` for more events than a revision holds, counting what two deletions share twice. */
function checkSize(database: SqlDatabase, branch: readonly StoreOperation[], current: Revision): void {
  let events = 0
  for (const operation of branch) {
    if (operation.kind === 'put') events++
    else if (operation.kind === 'delete')
      events += operation.range.end === undefined ? 1 : countKeys(database, operation.range, current)
  }
  if (events > MAX_REVISION_EVENTS)
    throw new AvisoError(
      'ERR_TOO_LARGE',
      `A transaction changes at most ${MAX_REVISION_EVENTS} keys: delete them in smaller ranges`,
    )
}

/** The keys of an interval; of very many, more than a revision holds. */
function countKeys(database: SqlDatabase, { key, end = nextKey(key) }: KeyRange, at: Revision): number {
  let count = 0
  let next: Uint8Array | undefined = key
  let leaps = 0
  while (next !== undefined && count <= MAX_REVISION_EVENTS) {
    const some = countSome(database, { key: next, end, at }, leaps)
    count += some.count
    next = some.next
    leaps = some.leaps
  }
  return count
}

function checkApplicable({ database }: TxnParts, operation: StoreOperation, current: Revision): void {
  if (operation.kind === 'range' && operation.range.revision !== undefined)
    checkReadable(database, operation.range.revision, current)
  if (operation.kind !== 'put' || operation.lease === undefined || operation.lease === 0n) return
  if (database.all('SELECT id FROM leases WHERE id = ?', operation.lease).length === 0)
    throw new AvisoError('ERR_NOT_FOUND', 'The lease is unknown or has ended: take a new one')
}

function headOf(database: SqlDatabase, key: Uint8Array): KeyHead {
  return readHead(database, key) ?? NO_HEAD
}

function holds({ database, known }: TxnParts, guard: Compare, heads: Heads): boolean {
  if (guard.target === 'VALUE') {
    const kv = readKey(database, guard.key)
    // As in etcd, the value of an absent key is neither equal nor unequal to anything.
    return kv !== undefined && decides(guard.result, compareBytes(kv.value, guard.value))
  }
  let head = known.get(guard.key)
  if (head === undefined) {
    head = headOf(database, guard.key)
    known.note(guard.key, head)
  }
  heads.set(guard.key, head)
  const actual = numberOf(head, guard.target)
  return decides(guard.result, actual === guard.value ? 0 : actual > guard.value ? 1 : -1)
}

function numberOf(head: KeyHead, target: 'MOD' | 'CREATE' | 'VERSION' | 'LEASE'): bigint {
  switch (target) {
    case 'MOD':
      return head.modRevision
    case 'CREATE':
      return head.createRevision
    case 'VERSION':
      return head.version
    case 'LEASE':
      return head.lease
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
