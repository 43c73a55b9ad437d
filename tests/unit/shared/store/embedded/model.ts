/**
 * The semantics of the store in its plainest form: all of history in one list, every question answered by reading it. Nothing of it is shared
 * with the store that it is held against.
 *
 * @module
 */

import type { AvisoErrorCode } from '#shared/errors.ts'
import type {
  Compare,
  KeyRange,
  KeyValue,
  OperationResult,
  RangeRequest,
  RangeResult,
  StoreEvent,
  StoreOperation,
  TxnRequest,
  TxnResult,
} from '#shared/store/store.ts'

/** A refusal, by its code. */
export class ModelRefusal extends Error {
  readonly code: AvisoErrorCode

  constructor(code: AvisoErrorCode) {
    super(code)
    this.code = code
  }
}

/** A revision and everything written in it. */
export interface ModelRevision {
  readonly revision: bigint
  readonly events: readonly StoreEvent[]
}

/** A store as a list. */
export class StoreModel {
  readonly #history: ModelRevision[] = []
  #compacted = 0n

  /** @throws {ModelRefusal} */
  range(request: RangeRequest): RangeResult {
    checkInterval(request)
    return this.#read(this.#history, request)
  }

  /** @throws {ModelRefusal} */
  txn({ compare, success, failure = [] }: TxnRequest): TxnResult {
    for (const { key } of compare) checkInterval({ key })
    for (const branch of [success, failure]) checkBranch(branch)
    const before = newest(this.#history)
    const alive = aliveAt(this.#history, before)
    const succeeded = compare.every((guard) => holds(guard, find(alive, guard.key)))
    const branch = succeeded ? success : failure
    for (const operation of branch)
      if (operation.kind === 'range') this.#checkPosition(operation.range.revision, before)
    const events: StoreEvent[] = []
    const results = branch.map((operation): OperationResult => {
      const after = events.length > 0 ? [...this.#history, { revision: before + 1n, events }] : this.#history
      if (operation.kind === 'range') return { kind: 'range', result: this.#read(after, operation.range) }
      if (operation.kind === 'put') {
        const old = find(alive, operation.key)
        const kv: KeyValue = {
          key: operation.key,
          value: operation.value,
          createRevision: old?.createRevision ?? before + 1n,
          modRevision: before + 1n,
          version: (old?.version ?? 0n) + 1n,
          lease: 0n,
        }
        events.push({ kind: 'put', kv })
        return { kind: 'put' }
      }
      const deleted = aliveAt(after, before + 1n).filter(({ key }) => isWithin(key, operation.range))
      for (const { key } of deleted) events.push({ kind: 'delete', kv: deletionOf(key, before + 1n) })
      return { kind: 'delete', deleted: BigInt(deleted.length) }
    })
    const revision = events.length > 0 ? before + 1n : before
    if (events.length > 0) this.#history.push({ revision, events })
    return { revision, succeeded, results }
  }

  /** @throws {ModelRefusal} */
  compact(revision: bigint): void {
    if (revision > newest(this.#history)) throw new ModelRefusal('ERR_FUTURE_POSITION')
    if (revision <= this.#compacted) throw new ModelRefusal('ERR_HISTORY_COMPACTED')
    this.#compacted = revision
  }

  /** What a watch yields of history. @throws {ModelRefusal} */
  replay({ from, ...range }: KeyRange & { readonly from: bigint }): readonly ModelRevision[] {
    checkInterval(range)
    if (range.end !== undefined && isEmpty(range.key, range.end)) throw new ModelRefusal('ERR_INVALID_RANGE')
    if (from < this.#compacted) throw new ModelRefusal('ERR_HISTORY_COMPACTED')
    return this.#history
      .filter(({ revision }) => revision >= from)
      .map(({ revision, events }) => ({
        revision,
        events: events.filter(({ kv }) => isWithin(kv.key, range)),
      }))
      .filter(({ events }) => events.length > 0)
  }

  #read(history: readonly ModelRevision[], request: RangeRequest): RangeResult {
    const {
      revision,
      limit = 0,
      sortTarget = 'KEY',
      sortOrder,
      countOnly = false,
      keysOnly = false,
    } = request
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request
    const current = newest(history)
    this.#checkPosition(revision, current)
    const found = aliveAt(history, revision ?? current).filter(({ key }) => isWithin(key, request))
    const isBetween = (value: bigint, min = 0n, max = 0n): boolean =>
      (min === 0n || value >= min) && (max === 0n || value <= max)
    const sign = sortOrder === 'DESCEND' ? -1 : 1
    const kept = found
      .filter(
        (kv) =>
          isBetween(kv.modRevision, minModRevision, maxModRevision) &&
          isBetween(kv.createRevision, minCreateRevision, maxCreateRevision),
      )
      .toSorted((a, b) => {
        const [rankA, rankB] = [rankOf(a, sortTarget), rankOf(b, sortTarget)]
        return rankA === rankB ? 0 : rankA < rankB ? -sign : sign
      })
    const listed = countOnly ? [] : kept
    const kvs = limit > 0 ? listed.slice(0, limit) : listed
    return {
      revision: current,
      kvs: keysOnly ? kvs.map((kv) => ({ ...kv, value: new Uint8Array() })) : kvs,
      count: BigInt(found.length),
      more: kvs.length < listed.length,
    }
  }

  #checkPosition(revision: bigint | undefined, current: bigint): void {
    if (revision === undefined) return
    if (revision > current) throw new ModelRefusal('ERR_FUTURE_POSITION')
    if (revision < this.#compacted) throw new ModelRefusal('ERR_HISTORY_COMPACTED')
  }
}

/** Text that sorts as the target does. */
function rankOf(kv: KeyValue, target: NonNullable<RangeRequest['sortTarget']>): string {
  const padded = (value: bigint): string => value.toString().padStart(20, '0')
  switch (target) {
    case 'KEY':
      return nameOf(kv.key)
    case 'VALUE':
      return nameOf(kv.value)
    case 'VERSION':
      return padded(kv.version)
    case 'CREATE':
      return padded(kv.createRevision)
    case 'MOD':
      return padded(kv.modRevision)
  }
}

function newest(history: readonly ModelRevision[]): bigint {
  return history.at(-1)?.revision ?? 1n
}

/** What holds at a revision, in the order of keys. */
function aliveAt(history: readonly ModelRevision[], at: bigint): KeyValue[] {
  const alive = new Map<string, KeyValue>()
  for (const { revision, events } of history) {
    for (const { kind, kv } of revision <= at ? events : []) {
      if (kind === 'put') alive.set(nameOf(kv.key), kv)
      else alive.delete(nameOf(kv.key))
    }
  }
  return [...alive].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, kv]) => kv)
}

function find(kvs: readonly KeyValue[], key: Uint8Array): KeyValue | undefined {
  return kvs.find((kv) => nameOf(kv.key) === nameOf(key))
}

/** Text that sorts as the bytes do. */
function nameOf(key: Uint8Array): string {
  let name = ''
  for (const byte of key) name += (byte + 256).toString(16)
  return name
}

function isWithin(key: Uint8Array, { key: first, end }: KeyRange): boolean {
  if (end === undefined) return nameOf(key) === nameOf(first)
  return nameOf(key) >= nameOf(first) && (isEndless(end) || nameOf(key) < nameOf(end))
}

function isEndless(end: Uint8Array): boolean {
  return end.length === 1 && end[0] === 0
}

function isEmpty(first: Uint8Array, end: Uint8Array): boolean {
  return !isEndless(end) && nameOf(end) <= nameOf(first)
}

function deletionOf(key: Uint8Array, modRevision: bigint): KeyValue {
  return { key, value: new Uint8Array(), createRevision: 0n, modRevision, version: 0n, lease: 0n }
}

function holds({ target, result, value }: Compare, kv: KeyValue | undefined): boolean {
  if (target === 'VALUE') throw new TypeError('The model compares no values')
  const field = { MOD: 'modRevision', CREATE: 'createRevision', VERSION: 'version', LEASE: 'lease' } as const
  const actual = kv?.[field[target]] ?? 0n
  switch (result) {
    case 'EQUAL':
      return actual === value
    case 'NOT_EQUAL':
      return actual !== value
    case 'GREATER':
      return actual > value
    case 'LESS':
      return actual < value
  }
}

function checkInterval({ key, end }: KeyRange): void {
  if (key.length === 0 || end?.length === 0) throw new ModelRefusal('ERR_INVALID_RANGE')
}

/** A branch writes each key once. */
function checkBranch(branch: readonly StoreOperation[]): void {
  const puts = branch.flatMap((operation) => (operation.kind === 'put' ? [operation.key] : []))
  if (new Set(puts.map(nameOf)).size < puts.length) throw new ModelRefusal('ERR_INVALID_RANGE')
  for (const operation of branch) {
    if (operation.kind !== 'delete') continue
    if (puts.some((key) => isWithin(key, operation.range))) throw new ModelRefusal('ERR_INVALID_RANGE')
  }
}
