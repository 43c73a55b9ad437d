/**
 * Writes the history of a store into another one through the port, revision by revision.
 *
 * Where the target is fresh and nothing of the source was compacted, every revision stays what it is. Otherwise revisions change: those that
 * stand in values are mapped, and until all is copied and verified the epoch of the target is one that no service accepts.
 *
 * @module
 */

import { compareBytes, toBytes, toText } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { EPOCH_KEY, isRenewedEpoch, MIGRATION_UNDER_WAY, renewedEpoch } from '#shared/store/epoch_key.ts'
import type { LeaseSeconds } from '#shared/store/open/leases.ts'
import {
  MAX_TXN_BYTES,
  MAX_TXN_OPERATIONS,
  type Compare,
  type KeyValue,
  type Revision,
  type Store,
  type StoreEvent,
  type StoreOperation,
} from '#shared/store/store.ts'
import { mappedValue } from './mapped_value.ts'
import { createRevisionMap, type RevisionMap } from './revision_map.ts'
import { keysAt, revisionsOf, writesAt, type SourceBounds } from './source.ts'

/** No service takes this for an epoch. */
const NO_EPOCH_YET = toBytes(MIGRATION_UNDER_WAY)
const EPOCH = toBytes(EPOCH_KEY)
/** Bytes of one transaction: the guard and the fields of its operations take the rest. */
const CHUNK_BYTES = MAX_TXN_BYTES - 64 * MAX_TXN_OPERATIONS
/** etcd's revision of an empty store. */
const EMPTY = 1n

/** What is replayed, and into what. */
export interface ReplayParts {
  readonly source: Store
  readonly bounds: SourceBounds
  readonly target: Store
  readonly leases: LeaseSeconds
  /** 128 random bits as text. */
  readonly random: () => string
  /** @param revision The revision of the source that was just read. */
  readonly onProgress: (what: 'reading' | 'writing', revision: Revision) => void
}

/** A history that was written, but has no epoch yet where its revisions changed. */
export interface Replayed {
  readonly isExact: boolean
  readonly map: RevisionMap
  /** Newest revision of the target. */
  readonly head: Revision
  /** Makes the target usable. */
  finish(): Promise<void>
}

/** @throws {AvisoError} `ERR_CONFIG` where the target is not empty, or a value does not fit; nothing was written then. */
export async function replay(parts: ReplayParts): Promise<Replayed> {
  const { source, target, bounds, onProgress } = parts
  const { head: first, epoch } = await refuseFull(target)
  const isExact = (await scan(parts)) && first === EMPTY
  const writer = createWriter(target, first)
  if (!isExact) await writer.hold(epoch)
  const map = createRevisionMap()
  const leaseOf = createLeases(parts)
  const write = async (revision: Revision, events: readonly StoreEvent[]): Promise<void> => {
    const kept = isExact ? events : events.filter(({ kv }) => !isEpoch(kv))
    const operations: StoreOperation[] = []
    for (const event of kept) operations.push(await toOperation(event, leaseOf, isExact ? undefined : map))
    for (const chunk of chunksOf(operations)) await writer.commit(chunk)
    if (operations.length > 0) map.add(revision, writer.head())
    onProgress('writing', revision)
  }
  if (bounds.base > 0n) {
    for await (const { revision, events } of writesAt(source, bounds.base)) await write(revision, events)
    // What was not readable in the source is not readable here.
    await target.compact(writer.head())
  }
  for await (const { revision, events } of revisionsOf(source, bounds)) await write(revision, events)
  return {
    isExact,
    map,
    head: writer.head(),
    finish: async () => {
      if (!isExact) await writer.release(await newEpoch(source, parts.random))
    },
  }
}

/** @returns the revision of an empty target, and that of an epoch in it. */
async function refuseFull(target: Store): Promise<{ readonly head: Revision; readonly epoch: Revision }> {
  const { kvs, count } = await target.range({
    key: new Uint8Array([0]),
    end: new Uint8Array([0]),
    limit: 2,
    keysOnly: true,
  })
  const { revision: head } = await target.status()
  const [only] = kvs
  if (count === 0n) return { head, epoch: 0n }
  if (count === 1n && only !== undefined && isEpoch(only)) return { head, epoch: only.modRevision }
  throw new AvisoError(
    'ERR_CONFIG',
    `The target is not empty: it has ${count} keys, perhaps of a migration that was interrupted. Empty it (etcdctl del "" --from-key), or take another one. Nothing was changed`,
  )
}

/**
 * Reads the whole source before anything is written.
 *
 * @returns whether every revision can stay what it is.
 * @throws {AvisoError} `ERR_CONFIG` for a value that etcd does not take.
 */
async function scan({ source, bounds, onProgress }: ReplayParts): Promise<boolean> {
  const { base, head } = bounds
  let isExact = base === 0n
  let before = EMPTY
  if (base > 0n) for await (const page of keysAt(source, base)) for (const kv of page) refuseLarge(kv)
  for await (const { revision, events } of revisionsOf(source, bounds)) {
    for (const { kv } of events) refuseLarge(kv)
    const operations = events.map((event) => toPlainOperation(event, 0n))
    isExact &&= revision === before + 1n && chunksOf(operations).length === 1
    before = revision
    onProgress('reading', revision)
  }
  return isExact && before === head
}

function refuseLarge({ key, value }: KeyValue): void {
  if (key.length + value.length <= CHUNK_BYTES) return
  throw new AvisoError(
    'ERR_CONFIG',
    `A value of ${value.length} bytes is larger than etcd takes (${CHUNK_BYTES}): delete it first. Nothing was changed`,
  )
}

interface Writer {
  head(): Revision
  /** Writes one revision. */
  commit(operations: readonly StoreOperation[]): Promise<void>
  /** Takes the epoch's place, so that no service uses the target. @param epoch Revision of the epoch that is there. */
  hold(epoch: Revision): Promise<void>
  /** Writes the epoch. */
  release(epoch: string): Promise<void>
}

function createWriter(target: Store, first: Revision): Writer {
  let head = first
  let guard: readonly Compare[] = []
  async function commit(success: readonly StoreOperation[]): Promise<void> {
    const { succeeded, revision } = await target.txn({ compare: guard, success })
    if (!succeeded || revision !== head + 1n)
      throw new AvisoError(
        'ERR_CONFLICT',
        'Somebody else writes to the target, or a lease ended in it: stop everything that uses it, empty it, and begin again',
      )
    head = revision
  }
  const guardBy = (value: Revision): void => {
    guard = [{ key: EPOCH, target: 'MOD', result: 'EQUAL', value }]
  }
  return {
    head: () => head,
    commit,
    hold: async (epoch) => {
      guardBy(epoch)
      await commit([{ kind: 'put', key: EPOCH, value: NO_EPOCH_YET }])
      guardBy(head)
    },
    release: (epoch) => commit([{ kind: 'put', key: EPOCH, value: toBytes(epoch) }]),
  }
}

/** The epoch of the target. If that of the source says that something was lost, numbers may still have to jump. */
async function newEpoch(source: Store, random: () => string): Promise<string> {
  const [kv] = (await source.range({ key: EPOCH })).kvs
  return kv !== undefined && isRenewedEpoch(toText(kv.value)) ? renewedEpoch(random()) : random()
}

/** Leases of the target, by those of the source; 0n for one that has ended. */
function createLeases({ target, leases }: ReplayParts): (id: bigint) => Promise<bigint> {
  const known = new Map<bigint, Promise<bigint>>([[0n, Promise.resolve(0n)]])
  const grant = async (id: bigint): Promise<bigint> => {
    const seconds = await leases(id)
    return seconds === undefined ? 0n : target.grantLease(seconds)
  }
  return (id) => {
    const lease = known.get(id) ?? grant(id)
    known.set(id, lease)
    return lease
  }
}

async function toOperation(
  event: StoreEvent,
  leaseOf: (id: bigint) => Promise<bigint>,
  map: RevisionMap | undefined,
): Promise<StoreOperation> {
  const { kind, kv } = event
  const value = map === undefined || kind === 'delete' ? kv.value : mappedValue(kv, map.at)
  return toPlainOperation({ kind, kv: { ...kv, value } }, await leaseOf(kv.lease))
}

function toPlainOperation({ kind, kv: { key, value } }: StoreEvent, lease: bigint): StoreOperation {
  return kind === 'delete' ? { kind, range: { key } } : { kind, key, value, lease }
}

/** Parts that one transaction takes each: one, for all that services write. */
function chunksOf(operations: readonly StoreOperation[]): readonly (readonly StoreOperation[])[] {
  const chunks: StoreOperation[][] = []
  let bytes = Infinity
  for (const operation of operations) {
    const size = operation.kind === 'put' ? operation.key.length + operation.value.length : 0
    const last = chunks.at(-1)
    if (last === undefined || last.length === MAX_TXN_OPERATIONS || bytes + size > CHUNK_BYTES) {
      chunks.push([operation])
      bytes = size
    } else {
      last.push(operation)
      bytes += size
    }
  }
  return chunks
}

function isEpoch({ key }: Pick<KeyValue, 'key'>): boolean {
  return compareBytes(key, EPOCH) === 0
}
