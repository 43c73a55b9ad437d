/**
 * Guarded transactions, as etcd applies them.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { compareBytes, NO_BYTES } from '#shared/bytes/bytes.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import type {
  Compare,
  CompareResult,
  OperationResult,
  Revision,
  StoreEvent,
  StoreOperation,
  TxnRequest,
  TxnResult,
} from '../store.ts'
import type { Written } from './group_commit.ts'
import { readKey, readKeys, readRange } from './range.ts'
import { checkReadable } from './revisions.ts'
import { numberIn } from './rows.ts'

/** What guards and writes need of a key: all but its value. */
interface KeyHead {
  readonly createRevision: Revision
  readonly modRevision: Revision
  readonly version: bigint
  readonly lease: bigint
}

const NO_HEAD: KeyHead = { createRevision: 0n, modRevision: 0n, version: 0n, lease: 0n }

/**
 * Keys as they are before a transaction, by the bytes that name them in it. A transaction writes a key once, so this holds until its end; and
 * a key that is guarded and then put is read once where both name it by the same bytes.
 */
type Heads = Map<Uint8Array, KeyHead>

/** Evaluates the guards and applies the branch they choose. Throws an `AvisoError` before the first write or not at all. */
export function applyTxn(database: SqlDatabase, request: TxnRequest, current: Revision): Written<TxnResult> {
  const heads: Heads = new Map()
  const succeeded = request.compare.every((guard) => holds(database, guard, heads))
  const branch = succeeded ? request.success : (request.failure ?? [])
  for (const operation of branch) checkApplicable(database, operation, current)
  const events: StoreEvent[] = []
  const results = branch.map((operation): OperationResult => {
    switch (operation.kind) {
      case 'put': {
        events.push(put(database, operation, { revision: current + 1n, heads }))
        return { kind: 'put' }
      }
      case 'delete': {
        const deleted = deleteKeys(database, readKeys(database, operation.range), current + 1n)
        for (const event of deleted) events.push(event)
        return { kind: 'delete', deleted: BigInt(deleted.length) }
      }
      case 'range': {
        const revision = events.length > 0 ? current + 1n : current
        return { kind: 'range', result: readRange(database, operation.range, revision) }
      }
    }
  })
  return { value: { revision: events.length > 0 ? current + 1n : current, succeeded, results }, events }
}

/** Deletes keys in one revision. @returns What was written. */
export function deleteKeys(
  database: SqlDatabase,
  keys: readonly Uint8Array[],
  revision: Revision,
): readonly StoreEvent[] {
  return keys.map((key) => {
    const kv = { ...NO_HEAD, key, value: NO_BYTES, modRevision: revision }
    const event: StoreEvent = { kind: 'delete', kv }
    append(database, event)
    database.run('DELETE FROM current WHERE key = ?', key)
    return event
  })
}

function put(
  database: SqlDatabase,
  { key, value, lease = 0n }: StoreOperation & { readonly kind: 'put' },
  { revision, heads }: { readonly revision: Revision; readonly heads: Heads },
): StoreEvent {
  const { createRevision, version } = heads.get(key) ?? readHead(database, key)
  const event: StoreEvent = {
    kind: 'put',
    kv: {
      // Copies: what is written must not change with the caller's buffers.
      key: key.slice(),
      value: value.slice(),
      createRevision: version === 0n ? revision : createRevision,
      modRevision: revision,
      version: version + 1n,
      lease,
    },
  }
  append(database, event)
  database.run(
    'INSERT INTO current (key, id) VALUES (?, last_insert_rowid()) ON CONFLICT (key) DO UPDATE SET id = excluded.id',
    key,
  )
  return event
}

function append(database: SqlDatabase, { kv }: StoreEvent): void {
  database.run(
    'INSERT INTO events (revision, created, version, lease, key, value) VALUES (?, ?, ?, ?, ?, ?)',
    Number(kv.modRevision),
    Number(kv.createRevision),
    Number(kv.version),
    kv.lease,
    kv.key,
    kv.value,
  )
}

function checkApplicable(database: SqlDatabase, operation: StoreOperation, current: Revision): void {
  if (operation.kind === 'range' && operation.range.revision !== undefined)
    checkReadable(database, operation.range.revision, current)
  if (operation.kind !== 'put' || operation.lease === undefined || operation.lease === 0n) return
  if (database.all('SELECT id FROM leases WHERE id = ?', operation.lease).length === 0)
    throw new AvisoError('ERR_NOT_FOUND', 'The lease is unknown or has ended: take a new one')
}

function readHead(database: SqlDatabase, key: Uint8Array): KeyHead {
  const [row] = database.all(
    'SELECT e.revision, e.created, e.version, e.lease FROM current c JOIN events e ON e.id = c.id WHERE c.key = ?',
    key,
  )
  if (row === undefined) return NO_HEAD
  return {
    createRevision: BigInt(numberIn(row, 'created')),
    modRevision: BigInt(numberIn(row, 'revision')),
    version: BigInt(numberIn(row, 'version')),
    lease: BigInt(numberIn(row, 'lease')),
  }
}

function holds(database: SqlDatabase, guard: Compare, heads: Heads): boolean {
  if (guard.target === 'VALUE') {
    const kv = readKey(database, guard.key)
    // As in etcd, the value of an absent key is neither equal nor unequal to anything.
    return kv !== undefined && decides(guard.result, compareBytes(kv.value, guard.value))
  }
  const head = readHead(database, guard.key)
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
