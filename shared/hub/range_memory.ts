/**
 * The range memory: what the hub knows of the ranges that clients poll. A poll is a read of the keys that were written since a revision. A
 * poll that finds nothing is answered from here and never reaches the store; so is one whose answer the ring still holds.
 *
 * Flow: store → hub (**range memory**) → auth → 1.x listener
 *
 * @module
 */

import {
  compareBytes,
  isEndOfKeys,
  isInRange,
  NO_BYTES,
  prefixEnd,
  toBytes,
  toName,
} from '#shared/bytes/bytes.ts'
import { isKeyOrder, keyOrder } from '#shared/store/key_order.ts'
import type {
  KeyRange,
  KeyValue,
  RangeRequest,
  RangeResult,
  Revision,
  StoreEvent,
} from '#shared/store/store.ts'
import { createRangeIndex } from './range_index.ts'
import type { Entry } from './source/entry.ts'
import type { Ring } from './source/ring.ts'

export interface RangeMemory {
  /**
   * Answers a read of keys: a poll from memory, where its answer is known, and a key as it was written at a revision that the ring holds.
   * Everything else by `ask`. An answer from memory may be behind the store by as much as the hub is.
   *
   * @param ask Asks the store. @throws {AvisoError} What `ask` throws.
   */
  read(request: RangeRequest, ask: () => Promise<RangeResult>): Promise<RangeResult>
  /** Takes the entry that has just been appended to the ring. */
  take(entry: Entry): void
  /** Forgets everything, because the ring starts over. */
  clear(): void
}

/** What is known of a range. */
interface Known {
  readonly name: string
  readonly range: KeyRange
  /** Number of its keys. */
  count: bigint
  /** No key that it has now was written at or after this revision. */
  quietFrom: Revision
  /** The count holds everything up to this revision. */
  asOf: Revision
}

export interface RangeMemoryParts {
  readonly ring: Ring
  /** Prefixes of all keys that are in the ring. */
  readonly roots: readonly string[]
  /** Whether the ring follows the store now. */
  readonly isFollowing: () => boolean
}

/** Ranges remembered, of some 500 bytes each: more than the listeners of a process. */
const MAX_RANGES = 10_000
/** Entries of the ring that one poll looks at: a millisecond. A poll that comes later than that asks the store. */
const MAX_SCANNED = 2_000
/** How often a poll waits for what another one learns. That may be ahead of the ring for a moment, or not enough for a poll that comes late. */
const MAX_WAITS = 3

export function createRangeMemory({ ring, roots, isFollowing }: RangeMemoryParts): RangeMemory {
  const rootKeys = roots.map(toBytes)
  /** The range that was asked for last comes last. */
  const ranges = new Map<string, Known>()
  const index = createRangeIndex<Known>()
  const together = createTogether()
  /** How often the ring has started over. */
  let beginnings = 0

  function forget(known: Known): void {
    ranges.delete(known.name)
    index.remove(known, [known.range])
  }
  function remember(known: Known): void {
    ranges.set(known.name, known)
    index.add(known, [known.range])
    const [oldest] = ranges.values()
    if (ranges.size > MAX_RANGES && oldest !== undefined) forget(oldest)
  }
  function find(request: RangeRequest): Known | undefined {
    const name = nameOf(request)
    const known = ranges.get(name)
    if (known === undefined) return undefined
    ranges.delete(name)
    ranges.set(name, known)
    return known
  }
  /** The present keys of a range that were written since a revision; `undefined` when the ring no longer tells. */
  function changedSince(range: KeyRange, from: Revision): readonly KeyValue[] | undefined {
    const first = ring.find(from)
    if (from < ring.floor || ring.end - first > MAX_SCANNED) return undefined
    const changed = new Map<string, KeyValue>()
    for (let position = first; position < ring.end; position++) {
      for (const { kind, kv } of ring.eventsIn(position, range)) {
        const name = toName(kv.key)
        changed.delete(name)
        if (kind === 'put') changed.set(name, kv)
      }
    }
    return [...changed.values()]
  }

  /** `undefined`: the store must be asked. */
  function answer(request: RangeRequest): RangeResult | undefined {
    const { minModRevision: from = 0n, revision: at = ring.through } = request
    if (from === 0n) return isFollowing() ? written(ring, request) : undefined
    if (at !== ring.through || from > ring.through + 1n || !isFollowing()) return undefined
    const known = find(request)
    if (known === undefined || known.asOf > ring.through) return undefined
    const changed = from >= known.quietFrom ? [] : changedSince(known.range, from)
    if (changed === undefined) return undefined
    const { kvs, more } = cut(changed, request)
    return { revision: ring.through, kvs, count: known.count, more }
  }
  function learn(request: RangeRequest, result: RangeResult): void {
    const { minModRevision: from = 0n, revision: at } = request
    const asOf = at ?? result.revision
    if (from === 0n || asOf + 1n < ring.floor) return
    if (!rootKeys.some((root) => isUnder(root, request))) return
    const before = ranges.get(nameOf(request))
    if (before !== undefined) forget(before)
    const known = toKnown(request, result, asOf)
    for (let position = ring.find(asOf + 1n); position < ring.end; position++)
      for (const event of ring.eventsIn(position, known.range)) apply(known, event)
    remember(known)
  }

  async function askStore(request: RangeRequest, ask: () => Promise<RangeResult>): Promise<RangeResult> {
    const asked = beginnings
    const result = await ask()
    // An answer from before the ring started over may be one of a store that was replaced.
    if (asked === beginnings) learn(request, result)
    return result
  }

  return {
    read: async (request, ask) => {
      const { minModRevision: from = 0n } = request
      const known = answer(request)
      if (known !== undefined) return known
      if (from === 0n) return askStore(request, ask)
      // The store looks at each key of the range for such a poll, and after a start all listeners come with one.
      return together(nameOf(request), {
        ask: () => askStore(request, ask),
        known: () => answer(request),
      })
    },
    take: (entry) => {
      if (ranges.size === 0) return
      // Each of them has one range, so it comes once.
      for (const event of entry.events)
        for (const known of index.find(event.kv.key))
          if (isInRange(event.kv.key, known.range)) apply(known, event)
    },
    clear: () => {
      beginnings++
      for (const known of ranges.values()) forget(known)
    },
  }
}

/** What a poll that memory cannot answer yet is answered by. */
interface Answers {
  readonly ask: () => Promise<RangeResult>
  /** From memory; `undefined`: it still does not know. */
  readonly known: () => RangeResult | undefined
}

/** @returns a function that has the first poll of a range ask. Those that come meanwhile wait for what that teaches. */
function createTogether(): (name: string, answers: Answers) => Promise<RangeResult> {
  /** Whether the store answers. */
  const asking = new Map<string, Promise<boolean>>()
  function askFirst(name: string, asked: Promise<RangeResult>): Promise<RangeResult> {
    const end = (isAnswered: boolean): boolean => {
      asking.delete(name)
      return isAnswered
    }
    const ended = asked.then(
      () => end(true),
      () => end(false),
    )
    asking.set(name, ended)
    return asked
  }
  return async (name, { ask, known }) => {
    for (let wait = 0; wait < MAX_WAITS; wait++) {
      const other = asking.get(name)
      if (other === undefined) return askFirst(name, ask())
      // One after the other would wait for a store that is away several times.
      if (!(await other)) break
      const learnt = known()
      if (learnt !== undefined) return learnt
    }
    return ask()
  }
}

/** One key at the revision that wrote it; `undefined`: the ring does not hold that. */
function written(ring: Ring, request: RangeRequest): RangeResult | undefined {
  const { key, end, revision = 0n } = request
  if (end !== undefined || revision < ring.floor || revision > ring.through) return undefined
  if (Object.keys(request).some((name) => name !== 'key' && name !== 'revision')) return undefined
  const last = ring.eventsIn(ring.find(revision), { key }).at(-1)
  if (last?.kind !== 'put' || last.kv.modRevision !== revision) return undefined
  return { revision: ring.through, kvs: [last.kv], count: 1n, more: false }
}

/** Brings what is known of a range up to an event of it. */
function apply(known: Known, { kind, kv }: StoreEvent): void {
  if (kv.modRevision <= known.asOf) return
  if (kind === 'put') {
    if (kv.version === 1n) known.count++
    known.quietFrom = kv.modRevision + 1n
  } else known.count--
}

/** What an answer says of a range. */
function toKnown(request: RangeRequest, result: RangeResult, asOf: Revision): Known {
  return {
    name: nameOf(request),
    range: rangeOf(request),
    count: result.count,
    quietFrom: quietFrom(request, result, asOf),
    asOf,
  }
}

/** The first revision from which an answer proves that nothing was written. */
function quietFrom(request: RangeRequest, { kvs, more }: RangeResult, asOf: Revision): Revision {
  const { minModRevision = 0n, maxModRevision, minCreateRevision, maxCreateRevision, countOnly } = request
  const isWhole = !more && countOnly !== true
  const isFiltered = [maxModRevision, minCreateRevision, maxCreateRevision].some((bound = 0n) => bound > 0n)
  if (!isWhole || isFiltered) return asOf + 1n
  return kvs.reduce((from, kv) => (kv.modRevision >= from ? kv.modRevision + 1n : from), minModRevision)
}

/** Applies to changed keys what a request asks for besides their range. */
function cut(
  changed: readonly KeyValue[],
  request: RangeRequest,
): { readonly kvs: readonly KeyValue[]; readonly more: boolean } {
  const { maxModRevision = 0n, minCreateRevision = 0n, maxCreateRevision = 0n, limit = 0 } = request
  if (request.countOnly === true) return { kvs: [], more: false }
  const kept = changed.filter(
    ({ modRevision, createRevision }) =>
      (maxModRevision === 0n || modRevision <= maxModRevision) &&
      (minCreateRevision === 0n || createRevision >= minCreateRevision) &&
      (maxCreateRevision === 0n || createRevision <= maxCreateRevision),
  )
  // In the order of keys first, which decides between equals.
  const inOrder = kept.toSorted(keyOrder({ ...request, sortTarget: 'KEY', sortOrder: 'ASCEND' }))
  const sorted = isKeyOrder(request) ? inOrder : inOrder.toSorted(keyOrder(request))
  const more = limit > 0 && sorted.length > limit
  const kvs = more ? sorted.slice(0, limit) : sorted
  return {
    kvs: request.keysOnly === true ? kvs.map((kv) => ({ ...kv, value: NO_BYTES })) : kvs,
    more,
  }
}

/** Whether a prefix holds every key of a range. */
function isUnder(root: Uint8Array, { key, end }: KeyRange): boolean {
  const under = { key: root, end: prefixEnd(root) }
  if (!isInRange(key, under)) return false
  return end === undefined || (!isEndOfKeys(end) && compareBytes(end, under.end) <= 0)
}

function rangeOf({ key, end }: KeyRange): KeyRange {
  return end === undefined ? { key } : { key, end }
}

/** A name for a range; no key and no end share it with others. */
function nameOf({ key, end }: KeyRange): string {
  return `${key.length}:${toName(key)}${end === undefined ? '' : toName(end)}`
}
