/**
 * How many keys an interval has. Clients that poll ask it again and again, and counting takes some microseconds a key. So the counts of
 * intervals that were asked lately are remembered, and corrected by what is written.
 *
 * @module
 */

import { isInRange } from '#shared/bytes/bytes.ts'
import type { SqlView } from '#shared/runtime/runtime.ts'
import type { Revision, StoreEvent } from '../store.ts'
import { oldestRevision } from './revisions.ts'
import type { Steps } from './steps.ts'
import { countSome, walkChanges, type Extent } from './walk.ts'

/** Intervals that are remembered. Each costs every write two comparisons of keys. */
const MAX_INTERVALS = 32
/** Longer intervals, in bytes of key and end, are not remembered. */
const MAX_NAME_BYTES = 4_096
/** Correcting a count by an event costs about a quarter of counting a key. */
const EVENTS_PER_KEY = 4
/** Events that are looked at to correct a count, however small it is. */
const MIN_EVENTS = 1_000

type Interval = Pick<Extent, 'key' | 'end'>

/** A count that is known, of the end of revision `at`. */
interface Known {
  readonly interval: Interval
  at: Revision
  count: number
  /** Whether it is kept up to date. Otherwise it is of a revision that somebody pages through. */
  readonly follows: boolean
  /** Whether it was worked out for the next page of a walk. */
  readonly isNext: boolean
}

/** A count under way. Whoever asks for it meanwhile does the next step of it. */
interface Running {
  readonly at: Revision
  next: Uint8Array | undefined
  leaps: number
  count: number
}

/** Who asks for a count. */
interface Asked {
  readonly name: string | undefined
  readonly onCounted: OnCounted | undefined
}

/** Told of keys that were gone through. */
type OnCounted = (keys: number) => void

/** The counts of one store. */
export interface Counts {
  /** The keys of an interval at the end of a revision. @param current The newest revision there is, that of a transaction under way too. */
  count(extent: Extent, current: Revision, onCounted?: OnCounted): Steps<number>
  /** Remembers what is left of an interval behind a page of it. */
  notePage(extent: Extent, next: Uint8Array, left: number): void
  /** Corrects what is known by a revision that was committed. */
  note(revision: Revision, events: readonly StoreEvent[]): void
}

export function createCounts(view: SqlView, newest: () => Revision): Counts {
  /** The least recently asked first. */
  const known = new Map<string, Known>()
  const running = new Map<string, Running>()

  function* count(extent: Extent, current: Revision, onCounted?: OnCounted): Steps<number> {
    const name = nameOf(extent)
    const entry = name === undefined ? undefined : known.get(name)
    const corrected = entry && (yield* correct(entry, extent))
    const result = corrected ?? (yield* countKeys(extent, { name, onCounted }))
    // What a transaction under way has written may yet be undone: nothing of it is remembered.
    if (name !== undefined && extent.at <= newest()) {
      const follows = extent.at === current
      if (entry === undefined || corrected === undefined || (follows && entry.at < extent.at)) {
        remember(name, { interval: extent, at: extent.at, count: result, follows, isNext: false })
      } else keep(known, name, entry)
    }
    return result
  }

  function* correct(entry: Known, { at, key, end }: Extent): Steps<number | undefined> {
    const { at: from, count: known } = entry
    if (from === at) return known
    const [after, through] = from < at ? [from, at] : [at, from]
    if (after < oldestRevision(view)) return undefined
    const budget = MIN_EVENTS + EVENTS_PER_KEY * known
    const change = yield* walkChanges(view, { key, end }, { after, through, budget })
    return change === undefined ? undefined : from < at ? known + change : known - change
  }

  function* countKeys(extent: Extent, asked: Asked): Steps<number> {
    const { name } = asked
    const shared = name === undefined ? undefined : running.get(name)
    if (shared !== undefined && shared.at <= extent.at && shared.at >= oldestRevision(view)) {
      const count = yield* finish(shared, extent, asked)
      if (count !== undefined) {
        const entry = { interval: extent, at: shared.at, count, follows: false, isNext: false }
        const corrected = yield* correct(entry, extent)
        if (corrected !== undefined) return corrected
      }
    }
    const own: Running = { at: extent.at, next: extent.key, leaps: 0, count: 0 }
    if (name !== undefined && extent.at <= newest()) keep(running, name, own)
    return (yield* finish(own, extent, asked)) ?? 0
  }

  /** @returns `undefined` where its revision was compacted away meanwhile, which does not happen to that of the caller. */
  function* finish(count: Running, extent: Extent, { name, onCounted }: Asked): Steps<number | undefined> {
    while (count.next !== undefined) {
      const some = countSome(view, { key: count.next, end: extent.end, at: count.at }, count.leaps)
      count.count += some.count
      onCounted?.(some.count)
      count.next = some.next
      count.leaps = some.leaps
      if (some.next === undefined) break
      yield
      if (count.at !== extent.at && count.at < oldestRevision(view)) return undefined
    }
    if (name !== undefined && running.get(name) === count) running.delete(name)
    return count.count
  }

  function remember(name: string, entry: Known): void {
    const { key, end } = entry.interval
    // Copies: the caller may use its buffers again.
    keep(known, name, { ...entry, interval: { key: key.slice(), end: end.slice() } })
  }
  return {
    count,
    notePage: (extent, next, left) => {
      const { end, at } = extent
      if (at > newest()) return
      const [name, nextName] = [nameOf(extent), nameOf({ key: next, end })]
      const entry = name === undefined ? undefined : known.get(name)
      if (name === undefined || nextName === undefined || known.has(nextName)) return
      // One walk takes one place, however many pages it has.
      if (entry?.isNext === true) known.delete(name)
      const follows = entry?.follows ?? false
      remember(nextName, { interval: { key: next, end }, at, count: left, follows, isNext: true })
    },
    note: (revision, events) => {
      for (const entry of known.values()) {
        if (!entry.follows || entry.at !== revision - 1n) continue
        entry.at = revision
        for (const { kind, kv } of events) {
          if (kind === 'put' && kv.version > 1n) continue
          if (isInRange(kv.key, entry.interval)) entry.count += kind === 'put' ? 1 : -1
        }
      }
    },
  }
}

/** Sets an entry as the one asked last, and drops the one asked first where there are too many. */
function keep<Entry>(entries: Map<string, Entry>, name: string, entry: Entry): void {
  entries.delete(name)
  entries.set(name, entry)
  const [oldest] = entries.keys()
  if (entries.size > MAX_INTERVALS && oldest !== undefined) entries.delete(oldest)
}

/** An interval as text; `undefined` for one that is too long to remember. */
function nameOf({ key, end }: Interval): string | undefined {
  if (key.length + end.length > MAX_NAME_BYTES) return undefined
  return `${key.length} ${String.fromCharCode(...key, ...end)}`
}
