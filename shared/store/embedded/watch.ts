/**
 * Watches: history in bounded pages, then live from the ring of recent revisions. A watch is a cursor; it holds at most one
 * page. So a watch that is not read costs nothing, and it goes back to history when the ring has moved on.
 *
 * @module
 */

import { isInRange } from '#shared/bytes/bytes.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { checkWatch } from '../check.ts'
import type { Revision, WatchMessage, WatchRequest } from '../store.ts'
import { readHistory } from './history.ts'
import { compactedError, oldestRevision, type RevisionEvents } from './revisions.ts'
import { createRing, type Ring } from './ring.ts'
import { closedError, read, type StoreState } from './state.ts'

/** How often an idle watch says how far it is, so that its reader can tell silence from death. */
const PROGRESS_INTERVAL_MS = 5_000

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

/** One running watch, as the feed sees it. */
interface Watcher {
  /** Has it look for news, where it waits. */
  wake: () => void
  /** It is to say how far it is, once it has nothing else to say. */
  isProgressDue: boolean
}

/** What a watch sees of its feed. */
interface Desk {
  readonly state: StoreState
  readonly ring: Ring
  readonly add: (watcher: Watcher) => void
  readonly remove: (watcher: Watcher) => void
}

export function createFeed(state: StoreState): Feed {
  const watchers = new Set<Watcher>()
  const ring = createRing()
  let stopProgress: (() => void) | undefined

  const add = (watcher: Watcher): void => {
    watchers.add(watcher)
    stopProgress ??= state.clock.every(PROGRESS_INTERVAL_MS, () => {
      for (const watcher of watchers) {
        watcher.isProgressDue = true
        watcher.wake()
      }
    })
  }
  const remove = (watcher: Watcher): void => {
    watchers.delete(watcher)
    if (watchers.size > 0) return
    stopProgress?.()
    stopProgress = undefined
  }
  const wake = (): void => {
    for (const watcher of watchers) watcher.wake()
  }
  return {
    publish: (entry) => {
      ring.push(entry)
      wake()
    },
    wake,
    watch: (request) => startWatch(request, { state, ring, add, remove }),
    close: () => {
      ring.clear()
      wake()
      stopProgress?.()
    },
  }
}

function startWatch(request: WatchRequest, { state, ring, add, remove }: Desk): AsyncIterable<WatchMessage> {
  const cursor = createCursor(request, state, ring)
  let isStopped = false
  let isCreated = false
  const watcher: Watcher = { wake: () => undefined, isProgressDue: false }
  const stop = (): void => {
    if (isStopped) return
    isStopped = true
    remove(watcher)
    request.signal?.removeEventListener('abort', stop)
    cursor.release()
    watcher.wake()
  }
  const start = (): WatchMessage | undefined => {
    if (request.signal?.aborted === true) return undefined
    if (state.isClosed) throw closedError()
    checkWatch(request)
    cursor.start()
    request.signal?.addEventListener('abort', stop)
    add(watcher)
    isCreated = true
    return { kind: 'created', revision: state.newest }
  }
  /** The next message; `undefined` at the end. */
  const advance = async (): Promise<WatchMessage | undefined> => {
    if (!isCreated) return start()
    for (;;) {
      if (state.isClosed) throw closedError()
      const entry = cursor.take()
      if (entry === 'page') await nextTurn()
      else if (entry !== undefined) return { kind: 'revision', ...entry }
      else if (watcher.isProgressDue) {
        watcher.isProgressDue = false
        return { kind: 'progress', revision: state.newest }
      } else {
        await new Promise<void>((resolve) => {
          watcher.wake = resolve
        })
      }
      if (isStopped) return undefined
    }
  }
  const step = async (): Promise<IteratorResult<WatchMessage>> => {
    if (isStopped) return { done: true, value: undefined }
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
  /** Takes its place. @throws {AvisoError} `ERR_HISTORY_COMPACTED`. */
  start(): void
  /** The next entry with events of the range; `page`: call again in another turn; `undefined`: nothing more for now. */
  take(): RevisionEvents | 'page' | undefined
  /** Drops the page that it holds. */
  release(): void
}

function createCursor(request: WatchRequest, state: StoreState, ring: Ring): Cursor {
  let next: Revision = 0n
  let page: readonly RevisionEvents[] = []
  let taken = 0
  return {
    start: () => {
      next = request.from ?? state.newest + 1n
      refuseCompacted()
    },
    take: () => {
      const paged = page[taken]
      if (paged !== undefined) {
        taken++
        return paged
      }
      for (let entry = ring.get(next); entry !== undefined; entry = ring.get(next)) {
        next++
        const events = entry.events.filter(({ kv }) => isInRange(kv.key, request))
        if (events.length > 0) return { revision: entry.revision, events }
      }
      const last = state.newest
      if (next > last) return undefined
      refuseCompacted()
      const { revisions, through } = read(state, () =>
        readHistory(state.database, request, { from: next, last }),
      )
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
    const oldest = read(state, () => oldestRevision(state.database))
    if (next < oldest) throw compactedError(oldest)
  }
}
