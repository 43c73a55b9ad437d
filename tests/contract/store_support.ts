/**
 * What the parts of the store contract share: unique keyspaces, deadlines, expectations.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { isAvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import { prefixEnd, toBytes, toText } from '#shared/bytes/bytes.ts'
import type {
  KeyRange,
  KeyValue,
  OperationResult,
  Revision,
  Store,
  StoreOperation,
  TxnResult,
  WatchMessage,
  WatchRequest,
} from '#shared/store/store.ts'
import { within } from '../support/waiting.ts'

/** An opened store under test. */
export interface OpenedStore {
  readonly store: Store
  /** Opens the same data again, after `store` was closed. Absent: the data dies with the store. */
  readonly reopen?: () => Promise<Store>
  /** Every key of the suite starts with it. */
  readonly prefix?: string
}

/** What an adapter cannot help, with the reason. */
export interface KnownDefects {
  /** etcd before 3.4.36 and 3.5.18 drops deletions of the very revision it compacts to (etcd#19251). */
  readonly deletionAtCompactionLost?: string
}

/** The store under test, as the parts of the suite see it. */
export interface Subject extends KnownDefects {
  readonly open: () => Promise<OpenedStore>
  store(): Store
  /** A keyspace that no other test uses. */
  space(): Keyspace
}

/** Keys of one test. */
export interface Keyspace {
  readonly prefix: string
  readonly all: KeyRange & { readonly end: Uint8Array }
  key(name: string): Uint8Array
  /** The part of a key behind the prefix. */
  name(key: Uint8Array): string
}

export function createKeyspace(prefix: string): Keyspace {
  const key = toBytes(prefix)
  return {
    prefix,
    all: { key, end: prefixEnd(key) },
    key: (name) => toBytes(prefix + name),
    name: (bytes) => toText(bytes).slice(prefix.length),
  }
}

export function putOperation(
  key: Uint8Array,
  value: string | Uint8Array = 'v',
  lease?: bigint,
): StoreOperation {
  const bytes = typeof value === 'string' ? toBytes(value) : value
  return lease === undefined ? { kind: 'put', key, value: bytes } : { kind: 'put', key, value: bytes, lease }
}

export function deleteOperation(range: KeyRange): StoreOperation {
  return { kind: 'delete', range }
}

export function commit(store: Store, ...success: StoreOperation[]): Promise<TxnResult> {
  return store.txn({ compare: [], success })
}

/** Puts one key. @returns Its revision. */
export async function put(
  store: Store,
  key: Uint8Array,
  value: string | Uint8Array = 'v',
  lease?: bigint,
): Promise<Revision> {
  return (await commit(store, putOperation(key, value, lease))).revision
}

export async function remove(store: Store, range: KeyRange): Promise<Revision> {
  return (await commit(store, deleteOperation(range))).revision
}

/** The store's revision now. */
export async function revisionOf(store: Store): Promise<Revision> {
  return (await store.status()).revision
}

export async function get(store: Store, key: Uint8Array): Promise<KeyValue | undefined> {
  return (await store.range({ key })).kvs[0]
}

/** Asserts that a call fails with an `AvisoError` of this code. */
export async function rejects(call: Promise<unknown>, ...codes: AvisoErrorCode[]): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(isAvisoError(error, ...codes), `expected ${codes.join(' or ')}, got ${String(error)}`)
    return true
  })
}

/** One event as text: `+name=value` for a put, `-name` for a deletion. */
export type EventText = string

/** A watch under test. */
export interface WatchReader {
  /** The store's revision when the watch began to stand. */
  readonly createdAt: Revision
  /** The next revision with events; progress is checked and skipped. */
  next(): Promise<{ readonly revision: Revision; readonly events: readonly EventText[] }>
  /** The next `count` revisions. */
  take(count: number): Promise<{ readonly revision: Revision; readonly events: readonly EventText[] }[]>
  /** The iterator itself. */
  readonly iterator: AsyncIterator<WatchMessage>
  /** Leaves the watch. */
  stop(): Promise<void>
}

/** Starts a watch and waits until it stands. */
export async function startWatch(
  store: Store,
  space: Keyspace,
  request: Partial<WatchRequest> = {},
): Promise<WatchReader> {
  const iterator = store
    .watch({ ...(request.key === undefined ? space.all : {}), ...request } as WatchRequest)
    [Symbol.asyncIterator]()
  const first = await within('created', iterator.next())
  assert.ok(first.done !== true && first.value.kind === 'created', 'a watch yields created first')
  let seen: Revision = 0n
  const next: WatchReader['next'] = async () => {
    for (;;) {
      const { done, value } = await within('a watch message', iterator.next())
      assert.ok(done !== true, 'the watch ended')
      assert.notEqual(value.kind, 'created', 'created comes once')
      if (value.kind === 'progress') {
        if (value.revision > seen) seen = value.revision
        continue
      }
      assert.ok(value.revision > seen, `revision ${value.revision} came after ${seen}`)
      seen = value.revision
      if (value.kind !== 'revision') continue
      assert.ok(value.events.length > 0, 'a revision has events')
      for (const { kv } of value.events) assert.equal(kv.modRevision, value.revision)
      return { revision: value.revision, events: value.events.map((event) => describeEvent(event, space)) }
    }
  }
  return {
    createdAt: first.value.revision,
    iterator,
    next,
    take: async (count) => {
      const taken = []
      while (taken.length < count) taken.push(await next())
      return taken
    },
    stop: async () => {
      await within('return()', Promise.resolve(iterator.return?.()))
    },
  }
}

function describeEvent({ kind, kv }: { kind: 'put' | 'delete'; kv: KeyValue }, space: Keyspace): EventText {
  return kind === 'put' ? `+${space.name(kv.key)}=${toText(kv.value)}` : `-${space.name(kv.key)}`
}

/** The values of a range that a transaction has read. */
export function rangeTexts(result: OperationResult | undefined): string[] {
  assert.equal(result?.kind, 'range')
  return result.result.kvs.map(({ value }) => toText(value))
}
