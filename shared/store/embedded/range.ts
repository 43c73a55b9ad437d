/**
 * Reads: one key or an interval of keys, as they are now or were at a revision.
 *
 * A read costs what its answer costs. In the order of keys it ends with the last key of the answer. "What is newer than a revision" is read
 * from the end of history, where that is shorter than the interval. The count is remembered (`counts.ts`).
 *
 * @module
 */

import { compareBytes, nextKey, NO_BYTES } from '#shared/bytes/bytes.ts'
import type { SqlRow, SqlView } from '#shared/runtime/runtime.ts'
import type { CallOptions, KeyRange, KeyValue, RangeRequest, RangeResult, Revision } from '../store.ts'
import type { Counts } from './counts.ts'
import { namePageDamage } from './page_damage.ts'
import { checkReadable } from './revisions.ts'
import {
  bytesIn,
  COLUMNS,
  FIRST_ID,
  HEAD_COLUMNS,
  ID,
  numberIn,
  toHead,
  toKeyValue,
  type Condition,
  type Head,
} from './rows.ts'
import { isDamage } from './state.ts'
import type { Steps } from './steps.ts'
import { walkKeys, walkLog, type Extent } from './walk.ts'

/** Events that are looked at in history before the keys are, and how many more for each key. */
const MIN_LOG_EVENTS = 1_000
const LOG_EVENTS_PER_KEY = 2
/** Values of one step: some milliseconds. */
const STEP_VALUES = 250
const STEP_BYTES = 1_048_576

/** What reads are answered from. */
export interface ReadParts {
  readonly view: SqlView
  readonly counts: Counts
  /** As `CallOptions.onCounted`. */
  readonly onCounted?: CallOptions['onCounted']
}

type SortTarget = NonNullable<RangeRequest['sortTarget']>

/** A request with its defaults. */
interface Plan {
  readonly extent: Extent
  readonly target: SortTarget
  readonly descending: boolean
  /** Most keys; infinite for all. */
  readonly limit: number
  readonly keysOnly: boolean
  readonly filter: Condition
  readonly isFiltered: boolean
  /** Revisions of the last write of the keys asked for. */
  readonly from: Revision
  readonly last: Revision
}

/** What was found, in the order asked for. */
interface Found {
  readonly kvs: readonly KeyValue[]
  readonly more: boolean
}

/**
 * Answers a read as etcd does.
 *
 * @param current The store's revision, or that of the transaction around the read.
 * @throws {AvisoError} `ERR_FUTURE_POSITION`, `ERR_HISTORY_COMPACTED`, `ERR_STORE_DAMAGED`.
 */
export function* readRange(parts: ReadParts, request: RangeRequest, current: Revision): Steps<RangeResult> {
  try {
    return yield* answerRange(parts, request, current)
  } catch (cause) {
    if (!isDamage(cause)) throw cause
    throw yield* namePageDamage(parts.view, {
      range: request,
      at: request.revision ?? current,
      current,
      cause,
    })
  }
}

function* answerRange(parts: ReadParts, request: RangeRequest, current: Revision): Steps<RangeResult> {
  const { view, counts, onCounted } = parts
  if (request.revision !== undefined) checkReadable(view, request.revision, current)
  const { key, end, countOnly = false } = request
  const at = request.revision ?? current
  if (end === undefined) return readSingle(view, request, { at, current })
  const extent = { key, end, at }
  const count = yield* counts.count(extent, current, onCounted)
  if (countOnly || count === 0) return { revision: current, kvs: [], count: BigInt(count), more: false }
  const plan = planOf(request, extent)
  const { kvs, more } = yield* findKeys(view, plan, count)
  const last = kvs.at(-1)
  if (more && last !== undefined && plan.target === 'KEY' && !plan.descending && !plan.isFiltered)
    counts.notePage(extent, nextKey(last.key), count - kvs.length)
  return { revision: current, kvs, count: BigInt(count), more }
}

/** A key as it is now. */
export function readKey(view: SqlView, key: Uint8Array): KeyValue | undefined {
  const [row] = view.all(
    `SELECT ${COLUMNS} FROM events e INDEXED BY events_by_key WHERE e.key = ? ORDER BY e.id DESC LIMIT 1`,
    key,
  )
  return row === undefined || isDeletion(row) ? undefined : toKeyValue(row, view)
}

/** The keys of a range as it is now, in byte order. @param most More are not read. */
export function* readKeys(
  view: SqlView,
  range: KeyRange,
  at: Revision,
  most: number,
): Steps<readonly Uint8Array[]> {
  const { key, end } = range
  if (end === undefined) {
    const head = readHead(view, key)
    return head === undefined ? [] : [key]
  }
  const keys: Uint8Array[] = []
  const filter = { where: 'TRUE', bounds: [] }
  const take = (row: SqlRow): boolean => keys.push(bytesIn(row, 'key')) < most
  yield* walkKeys(view, { key, end, at }, { filter, withValues: false, take })
  return keys
}

/** A key as it is now, without its value. */
export function readHead(view: SqlView, key: Uint8Array): KeyValue | undefined {
  const [row] = view.all(
    `SELECT ${HEAD_COLUMNS} FROM events e INDEXED BY events_by_key WHERE e.key = ? ORDER BY e.id DESC LIMIT 1`,
    key,
  )
  return row === undefined || isDeletion(row) ? undefined : toHead(row).kv
}

function readSingle(
  view: SqlView,
  request: RangeRequest,
  { at, current }: { readonly at: Revision; readonly current: Revision },
): RangeResult {
  const columns = request.keysOnly === true ? HEAD_COLUMNS : COLUMNS
  const [row] = view.all(
    `SELECT ${columns} FROM events e INDEXED BY events_by_key WHERE e.key = ? AND e.id < ${FIRST_ID} ORDER BY e.id DESC LIMIT 1`,
    request.key,
    Number(at) + 1,
  )
  if (row === undefined || isDeletion(row)) return { revision: current, kvs: [], count: 0n, more: false }
  const isWanted = request.countOnly !== true && passes(request, toHead(row).kv)
  const kv = isWanted && (request.keysOnly === true ? toHead(row).kv : toKeyValue(row, view))
  return { revision: current, kvs: kv === false ? [] : [kv], count: 1n, more: false }
}

/** 0 is "no filter", as in etcd. */
function passes(request: RangeRequest, { modRevision, createRevision }: KeyValue): boolean {
  const { minModRevision = 0n, maxModRevision = 0n, minCreateRevision = 0n, maxCreateRevision = 0n } = request
  const isWithin = (value: Revision, min: Revision, max: Revision): boolean =>
    (min <= 0n || value >= min) && (max <= 0n || value <= max)
  return (
    isWithin(modRevision, minModRevision, maxModRevision) &&
    isWithin(createRevision, minCreateRevision, maxCreateRevision)
  )
}

function planOf(request: RangeRequest, extent: Extent): Plan {
  const { sortTarget: target = 'KEY', limit = 0, keysOnly = false } = request
  const { minModRevision = 0n, maxModRevision = 0n, minCreateRevision = 0n, maxCreateRevision = 0n } = request
  const conditions: string[] = []
  const bounds: number[] = []
  const add = (condition: string, value: Revision): void => {
    conditions.push(condition)
    bounds.push(Number(value))
  }
  if (minModRevision > 0n) add(`e.id >= ${FIRST_ID}`, minModRevision)
  if (maxModRevision > 0n) add(`e.id < ${FIRST_ID}`, maxModRevision + 1n)
  if (minCreateRevision > 0n) add('e.created >= ?', minCreateRevision)
  if (maxCreateRevision > 0n) add('e.created <= ?', maxCreateRevision)
  return {
    extent,
    target,
    // etcd sorts by other targets in ascending order when no order is given.
    descending: request.sortOrder === 'DESCEND',
    limit: limit === 0 ? Infinity : limit,
    keysOnly,
    filter: { where: conditions.join(' AND ') || 'TRUE', bounds },
    isFiltered: conditions.length > 0,
    from: minModRevision > 0n ? minModRevision : 1n,
    last: maxModRevision > 0n && maxModRevision < extent.at ? maxModRevision : extent.at,
  }
}

/** @param count Keys in the interval. */
function* findKeys(view: SqlView, plan: Plan, count: number): Steps<Found> {
  const { target, from, last, isFiltered } = plan
  if (from > last) return { kvs: [], more: false }
  if (target === 'MOD' || (target !== 'VALUE' && isFiltered && from > 1n)) {
    const heads = yield* findInLog(view, plan, MIN_LOG_EVENTS + LOG_EVENTS_PER_KEY * count)
    if (heads !== undefined) {
      const { kvs, more } = yield* finish(view, plan, heads)
      return { kvs, more: more || (!isFiltered && count > plan.limit) }
    }
  }
  if (target === 'KEY') return yield* findInOrder(view, plan)
  if (target === 'VALUE') return yield* findByValue(view, plan)
  return yield* finish(view, plan, yield* findHeads(view, plan))
}

/** In the order of keys: the first ones that pass. */
function* findInOrder(
  view: SqlView,
  { extent, filter, isFiltered, descending, limit, keysOnly }: Plan,
): Steps<Found> {
  const kvs: KeyValue[] = []
  let more = false
  yield* walkKeys(view, extent, {
    filter,
    withValues: !keysOnly,
    descending,
    most: isFiltered ? Infinity : limit + 1,
    take: (row) => {
      more = kvs.length >= limit
      if (!more) kvs.push(keysOnly ? toHead(row).kv : toKeyValue(row, view))
      return !more
    },
  })
  return { kvs, more }
}

/** All that was last written in the plan's revisions; `undefined` where that takes more than `budget` events. */
function* findInLog(view: SqlView, plan: Plan, budget: number): Steps<Head[] | undefined> {
  const { extent, filter, isFiltered, from, last, target, descending, limit } = plan
  const heads: Head[] = []
  // Without a filter the count tells whether there is more.
  const needed = isFiltered ? limit + 1 : limit
  const isDone = yield* walkLog(view, extent, {
    filter,
    from,
    last,
    descending: target === 'MOD' && descending,
    budget,
    take: (row) => heads.push(toHead(row)),
    isEnough: (revision) => {
      // The keys of one revision are sorted, so it has to be read to its end.
      const cut = target === 'MOD' ? heads[needed - 1] : undefined
      return cut !== undefined && cut.kv.modRevision !== BigInt(revision)
    },
  })
  return isDone ? heads : undefined
}

/** All keys that pass, without values; of very many no more than the answer needs. */
function* findHeads(view: SqlView, plan: Plan): Steps<Head[]> {
  const { extent, filter, limit } = plan
  let heads: Head[] = []
  yield* walkKeys(view, extent, {
    filter,
    withValues: false,
    take: (row) => {
      heads.push(toHead(row))
      if (heads.length > 2 * limit + STEP_VALUES) heads = sorted(heads, plan).slice(0, limit + 1)
      return true
    },
  })
  return heads
}

/** Sorts what was found, cuts it to the limit, and reads the values. */
function* finish(view: SqlView, plan: Plan, heads: readonly Head[]): Steps<Found> {
  const { limit, keysOnly } = plan
  const cut = sorted(heads, plan).slice(0, limit)
  const more = heads.length > limit
  if (keysOnly) return { kvs: cut.map(({ kv }) => kv), more }
  const kvs: KeyValue[] = []
  let bytes = 0
  let values = 0
  for (const { kv: head, place } of cut) {
    if (values >= STEP_VALUES || bytes > STEP_BYTES) {
      yield
      values = 0
      bytes = 0
    }
    const kv = readEvent(view, Number(head.modRevision), place)
    kvs.push(kv)
    values++
    bytes += kv.value.length
  }
  return { kvs, more }
}

function readEvent(view: SqlView, revision: number, place: number): KeyValue {
  const [row] = view.all(`SELECT ${COLUMNS} FROM events e WHERE e.id = ${ID}`, revision, place)
  if (row === undefined) throw new TypeError(`There is no event ${revision}/${place}`)
  return toKeyValue(row, view)
}

/** By value, every value has to be read. */
function* findByValue(view: SqlView, plan: Plan): Steps<Found> {
  const { extent, filter, limit, keysOnly, descending } = plan
  const sign = descending ? -1 : 1
  const kvs: KeyValue[] = []
  const compare = (a: KeyValue, b: KeyValue): number => sign * compareBytes(a.value, b.value)
  yield* walkKeys(view, extent, {
    filter,
    withValues: true,
    take: (row) => {
      kvs.push(toKeyValue(row, view))
      if (kvs.length > 2 * limit + STEP_VALUES) kvs.sort(compare).length = limit + 1
      return true
    },
  })
  const cut = kvs.sort(compare).slice(0, limit)
  return {
    kvs: keysOnly ? cut.map((kv) => ({ ...kv, value: NO_BYTES })) : cut,
    more: kvs.length > limit,
  }
}

/** In the order asked for; keys of the same rank in byte order, whichever way they were found. */
function sorted(heads: readonly Head[], { target, descending }: Plan): Head[] {
  const sign = descending ? -1 : 1
  const compare = sorter(target)
  return heads.toSorted((a, b) => sign * compare(a.kv, b.kv) || compareBytes(a.kv.key, b.kv.key))
}

function sorter(target: SortTarget): (a: KeyValue, b: KeyValue) => number {
  const difference = (a: bigint, b: bigint): number => (a === b ? 0 : a > b ? 1 : -1)
  switch (target) {
    case 'KEY':
      return (a, b) => compareBytes(a.key, b.key)
    case 'VERSION':
      return (a, b) => difference(a.version, b.version)
    case 'CREATE':
      return (a, b) => difference(a.createRevision, b.createRevision)
    case 'MOD':
      return (a, b) => difference(a.modRevision, b.modRevision)
    case 'VALUE':
      return (a, b) => compareBytes(a.value, b.value)
  }
}

function isDeletion(row: SqlRow): boolean {
  return numberIn(row, 'place') % 2 === 1
}
