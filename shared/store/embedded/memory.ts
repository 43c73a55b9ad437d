/**
 * The store in memory: for tests, and where there is no disk. Its data ends with it.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { END_OF_KEYS, compareBytes, isInRange } from '#shared/bytes/bytes.ts'
import { firstIndex } from '#shared/search.ts'
import { FIRST_REVISION, type Backend, type CompactPosition, type RevisionEvents } from './backend.ts'
import { createKeyIndex } from './key_index.ts'
import { createMvccStore } from './store.ts'
import type { KeyRange, KeyValue, Revision, Store, StoreEvent } from '../store.ts'

/** Revisions in one page of history. */
const PAGE_REVISIONS = 1_000
/** Keys that one step of a compaction looks at. */
const COMPACT_KEYS = 1_000
/** Ended leases handled at once. */
const MAX_ENDED_LEASES = 1_000

const FIRST_KEY = new Uint8Array([0])

/** Opens an empty store in memory. */
export function createMemoryStore({ clock }: { readonly clock: Clock }): Store {
  return createMvccStore(createMemoryBackend(), { clock, logger: silentLogger })
}

/** All versions of a key, ascending; a deletion has version 0. */
interface Entry {
  readonly key: Uint8Array
  versions: KeyValue[]
}

interface Lease {
  readonly endsAt: number
  readonly entries: Set<Entry>
}

function createMemoryBackend(): Backend {
  const keys = createKeyIndex<Entry>()
  const leases = createLeaseTable()
  /** History without a gap from its first revision on. */
  let log: { readonly revision: Revision; readonly events: StoreEvent[] }[] = []
  let revision = FIRST_REVISION
  let compacted: Revision = 0n

  /** Live keys of a range with their value at a revision. */
  function visitAlive(range: KeyRange, at: Revision | undefined, visit: (kv: KeyValue) => void): void {
    keys.visit(range, (entry) => {
      const kv = entry.versions[at === undefined ? entry.versions.length - 1 : versionAt(entry, at)]
      if (isAlive(kv)) visit(kv)
      return true
    })
  }
  function append(event: StoreEvent): void {
    const { kv } = event
    const entry = keys.get(kv.key) ?? { key: kv.key, versions: [] }
    const before = entry.versions.at(-1)
    if (before === undefined) keys.insert(entry)
    entry.versions.push(kv)
    leases.move(entry, before?.lease ?? 0n, kv.lease)
    const last = log.at(-1)
    if (last?.revision === kv.modRevision) last.events.push(event)
    else log.push({ revision: kv.modRevision, events: [event] })
    revision = kv.modRevision
  }
  function compactStep(position: CompactPosition | undefined): CompactPosition | undefined {
    if (position === undefined) log = log.slice(firstIndex(log, (logged) => logged.revision >= compacted))
    const from = typeof position === 'object' ? position : FIRST_KEY
    const gone: Uint8Array[] = []
    let seen = 0
    let next: Uint8Array | undefined
    keys.visit({ key: from, end: END_OF_KEYS }, (entry) => {
      if (seen++ === COMPACT_KEYS) {
        next = entry.key
        return false
      }
      forget(entry, compacted)
      if (entry.versions.length === 0) gone.push(entry.key)
      return true
    })
    for (const key of gone) keys.delete(key)
    return next
  }
  return {
    version: 'memory',
    revision: () => revision,
    compacted: () => compacted,
    // Nothing to undo: no write to memory fails half-way.
    transaction: (work) => work(),
    get: (key) => {
      const kv = keys.get(key)?.versions.at(-1)
      return isAlive(kv) ? kv : undefined
    },
    keys: (range) => {
      const found: Uint8Array[] = []
      visitAlive(range, undefined, ({ key }) => found.push(key))
      return found
    },
    scan: (range, at, limit) => {
      const kvs: KeyValue[] = []
      let count = 0
      visitAlive(range, at, (kv) => {
        if (count++ < limit) kvs.push(kv)
      })
      return { kvs, count }
    },
    append,
    history: (range, from, last) => {
      const start = firstIndex(log, (logged) => logged.revision >= from)
      const page = log.slice(start, start + PAGE_REVISIONS)
      return {
        revisions: page.flatMap((entry) => inRange(entry, range)),
        through: page.at(-1)?.revision ?? last,
      }
    },
    setCompacted: (target) => {
      compacted = target
    },
    compactStep,
    reclaim: () => false,
    ...leases.methods,
    isFull: () => false,
    sizeBytes: () => 0,
    close: () => undefined,
  }
}

/** The leases of a store and the keys that hang on them. */
function createLeaseTable(): {
  /** Hangs a key on another lease; 0n: none. */
  readonly move: (entry: Entry, from: bigint, to: bigint) => void
  readonly methods: Pick<Backend, 'addLease' | 'hasLease' | 'removeLease' | 'endedLeases' | 'leaseKeys'>
} {
  const leases = new Map<bigint, Lease>()
  let last = 0n
  return {
    move: (entry, from, to) => {
      leases.get(from)?.entries.delete(entry)
      leases.get(to)?.entries.add(entry)
    },
    methods: {
      addLease: (endsAt) => {
        leases.set(++last, { endsAt, entries: new Set() })
        return last
      },
      hasLease: (id) => leases.has(id),
      removeLease: (id) => {
        leases.delete(id)
      },
      endedLeases: (now) => {
        const ended = [...leases].filter(([, { endsAt }]) => endsAt <= now)
        ended.sort(([, a], [, b]) => a.endsAt - b.endsAt)
        return ended.slice(0, MAX_ENDED_LEASES).map(([id]) => id)
      },
      leaseKeys: (id) => [...(leases.get(id)?.entries ?? [])].map(({ key }) => key).toSorted(compareBytes),
    },
  }
}

function isAlive(kv: KeyValue | undefined): kv is KeyValue {
  return kv !== undefined && kv.version > 0n
}

/** Index of the version that held at a revision, -1 for none. */
function versionAt({ versions }: Entry, at: Revision): number {
  return firstIndex(versions, ({ modRevision }) => modRevision > at) - 1
}

/** Drops what no read at `oldest` or later sees, and deletions before it. */
function forget(entry: Entry, oldest: Revision): void {
  const held = versionAt(entry, oldest)
  const kv = entry.versions[held]
  if (kv === undefined) return
  const isOldDeletion = kv.version === 0n && kv.modRevision < oldest
  entry.versions = entry.versions.slice(isOldDeletion ? held + 1 : held)
}

function inRange({ revision, events }: RevisionEvents, range: KeyRange): RevisionEvents[] {
  const matching = events.filter(({ kv }) => isInRange(kv.key, range))
  return matching.length > 0 ? [{ revision, events: matching }] : []
}
