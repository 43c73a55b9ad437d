/**
 * Watches: history in bounded pages, then live from a ring of recent revisions. A watch is a cursor; it holds at most one
 * page, so that one which nobody reads costs nothing and goes back to history when the ring has moved on.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import { isInRange } from '#shared/bytes/bytes.ts'
import type { Backend, RevisionEvents } from './backend.ts'
import { checkWatch } from '../check.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { compactedError } from './txn.ts'
import type { Revision, StoreEvent, WatchMessage, WatchRequest } from '../store.ts'

/** Revisions kept in memory: some seconds of heavy writing, so that a watch rarely needs the disk for what was just written. */
const RING_REVISIONS = 4_096
/** Bytes of keys and values kept in memory, whatever the number of watches. */
const RING_BYTES = 16 * 1_048_576
/** How often an idle watch says how far it is, so that its reader can tell silence from death. */
const PROGRESS_INTERVAL_MS = 5_000

/** What a feed is made with. */
export interface FeedParts {
  readonly backend: Backend
  readonly clock: Clock
  /** Revision of the last committed write. */
  readonly revision: () => Revision
  /** Runs a read of the backend, its failures turned into `AvisoError`. */
  readonly read: <Result>(work: () => Result) => Result
}

/** The watches of one store. */
export interface Feed {
  /** Passes on one committed revision, the one after the last. */
  publish(entry: RevisionEvents): void
  /** Has every watch look again: revisions may have passed unpublished. */
  wake(): void
  watch(request: WatchRequest): AsyncIterable<WatchMessage>
  /** Ends every watch with `ERR_STORE_UNAVAILABLE`. */
  close(): void
}

/** The refusal of a closed store. */
export function closedError(): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'The store is closed')
}

/** One running watch, as the feed sees it. */
interface Watcher {
  /** Looks for news. */
  wake(): void
  /** Says how far it is when it is idle. */
  progress(): void
}

export function createFeed(parts: FeedParts): Feed {
  const watchers = new Set<Watcher>()
  const ring = createRing()
  let closed = false
  let stopProgress: (() => void) | undefined

  const add = (watcher: Watcher): void => {
    watchers.add(watcher)
    stopProgress ??= parts.clock.every(PROGRESS_INTERVAL_MS, () => {
      for (const each of watchers) each.progress()
    })
  }
  const remove = (watcher: Watcher): void => {
    watchers.delete(watcher)
    if (watchers.size > 0) return
    stopProgress?.()
    stopProgress = undefined
  }
  const wakeAll = (): void => {
    for (const watcher of watchers) watcher.wake()
  }
  return {
    publish: (entry) => {
      ring.push(entry)
      wakeAll()
    },
    wake: wakeAll,
    watch: (request) => startWatch(request, { ...parts, ring, add, remove, isClosed: () => closed }),
    close: () => {
      closed = true
      ring.clear()
      wakeAll()
      stopProgress?.()
    },
  }
}

/** What a watch sees of its feed. */
interface WatchParts extends FeedParts {
  readonly ring: Ring
  readonly add: (watcher: Watcher) => void
  readonly remove: (watcher: Watcher) => void
  readonly isClosed: () => boolean
}

function startWatch(request: WatchRequest, parts: WatchParts): AsyncIterable<WatchMessage> {
  const cursor = createCursor(request, parts)
  let stopped = false
  let created = false
  let progressDue = false
  let wake: () => void = () => undefined
  const watcher: Watcher = {
    wake: () => wake(),
    progress: () => {
      progressDue = true
      wake()
    },
  }
  const stop = (): void => {
    if (stopped) return
    stopped = true
    parts.remove(watcher)
    request.signal?.removeEventListener('abort', stop)
    cursor.release()
    wake()
  }
  const start = (): WatchMessage | undefined => {
    if (request.signal?.aborted === true) return undefined
    if (parts.isClosed()) throw closedError()
    checkWatch(request)
    const revision = cursor.start()
    request.signal?.addEventListener('abort', stop)
    parts.add(watcher)
    created = true
    return { kind: 'created', revision }
  }
  /** The next message; `undefined` at the end. */
  const advance = async (): Promise<WatchMessage | undefined> => {
    if (!created) return start()
    for (;;) {
      if (parts.isClosed()) throw closedError()
      const entry = cursor.take()
      if (entry === 'page') await nextTurn()
      else if (entry !== undefined) return { kind: 'revision', ...entry }
      else if (progressDue) {
        progressDue = false
        return { kind: 'progress', revision: parts.revision() }
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      if (stopped) return undefined
    }
  }
  const step = async (): Promise<IteratorResult<WatchMessage>> => {
    if (stopped) return { done: true, value: undefined }
    try {
      const message = await advance()
      if (message !== undefined) return { done: false, value: message }
    } catch (error) {
      stop()
      throw error
    }
    stop()
    return { done: true, value: undefined }
  }
  // Not an async generator: its return() would wait for the pending next(), which may take for ever.
  let last: Promise<unknown> = Promise.resolve()
  const iterator: AsyncIterator<WatchMessage> = {
    next: () => {
      const result = last.then(step, step)
      last = result
      return result
    },
    return: () => {
      stop()
      return Promise.resolve({ done: true, value: undefined })
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

/** A place in the store's history. */
interface Cursor {
  /** Takes its place. @returns The store's revision. */
  start(): Revision
  /** The next entry with events of the range; `page`: call again in another turn; `undefined`: nothing more for now. */
  take(): RevisionEvents | 'page' | undefined
  /** Drops the page that it holds. */
  release(): void
}

function createCursor(request: WatchRequest, { backend, ring, revision, read }: WatchParts): Cursor {
  let next: Revision = 0n
  let page: readonly RevisionEvents[] = []
  let taken = 0
  return {
    start: () => {
      const now = revision()
      next = request.from ?? now + 1n
      refuseCompacted()
      return now
    },
    take: () => {
      const paged = page[taken]
      if (paged !== undefined) {
        taken++
        return paged
      }
      const last = revision()
      while (next <= last && ring.covers(next)) {
        const entry = ring.get(next++)
        const events = entry.events.filter(({ kv }) => isInRange(kv.key, request))
        if (events.length > 0) return { revision: entry.revision, events }
      }
      if (next > last) return undefined
      refuseCompacted()
      const { revisions, through } = read(() => backend.history(request, next, last))
      page = revisions
      taken = 0
      next = through + 1n
      return 'page'
    },
    release: () => {
      page = []
    },
  }

  function refuseCompacted(): void {
    const oldest = read(() => backend.compacted())
    if (next < oldest) throw compactedError(oldest)
  }
}

/** Recent revisions without a gap, bounded in number and bytes. */
interface Ring {
  push(entry: RevisionEvents): void
  covers(revision: Revision): boolean
  get(revision: Revision): RevisionEvents
  clear(): void
}

function createRing(): Ring {
  let entries: (RevisionEvents | undefined)[] = []
  let first: Revision = 0n
  let next: Revision = 0n
  let bytes = 0
  const slot = (revision: Revision): number => Number(revision % BigInt(RING_REVISIONS))
  const get = (revision: Revision): RevisionEvents => {
    const entry = entries[slot(revision)]
    if (entry?.revision !== revision) throw new RangeError(`The ring does not hold revision ${revision}`)
    return entry
  }
  const dropFirst = (): void => {
    bytes -= sizeOf(get(first).events)
    entries[slot(first)] = undefined
    first++
  }
  const clear = (): void => {
    entries = []
    bytes = 0
    first = next
  }
  return {
    push: (entry) => {
      if (entry.revision !== next) {
        clear()
        first = entry.revision
      } else if (next - first === BigInt(RING_REVISIONS)) dropFirst()
      entries[slot(entry.revision)] = entry
      next = entry.revision + 1n
      bytes += sizeOf(entry.events)
      while (bytes > RING_BYTES && first < next) dropFirst()
    },
    covers: (revision) => revision >= first && revision < next,
    get,
    clear,
  }
}

function sizeOf(events: readonly StoreEvent[]): number {
  let bytes = 0
  for (const { kv } of events) bytes += kv.key.length + kv.value.length
  return bytes
}
