/**
 * History for streams behind the ring: a few readers page through the store, each for all streams on its way.
 *
 * Flow: store → **history** → hub → auth → listener
 *
 * Only a watch reads the store's history in order. A reader follows one from the position that a stream asks for, and cuts the revisions
 * into pages. It stops where the ring begins or a known page begins, and while no stream asks for more. So listeners that come back
 * together read the store once, not once each.
 *
 * @module
 */

import { HistoryCompacted, HistoryDamaged, oldestRevisionOf, type AvisoError } from '#shared/errors.ts'
import type { Revision } from '#shared/store/store.ts'
import { createHistoryPages, type HistoryPages, type Page } from './history_pages.ts'
import { startReader, type HistoryParts, type HistoryReader, type HistoryWaiter } from './history_reader.ts'
import {
  HISTORY_ALIGNMENT,
  HISTORY_ALONE_BYTES,
  HISTORY_CACHE_BYTES,
  HISTORY_CONTENDED_HOLD_MS,
  HISTORY_HOLD_MS,
  HISTORY_READERS,
  HISTORY_SHARED_REVISIONS,
  HISTORY_TURN_BYTES,
} from './limits.ts'

export interface History {
  /** The known page that holds a revision. */
  find(revision: Revision): Page | undefined
  /** Reads a revision and then calls the waiter once, perhaps before this returns. */
  request(waiter: HistoryWaiter): void
  /** Takes a waiter back. */
  forget(waiter: HistoryWaiter): void
  /** Releases idle readers, and pages beyond the bound. The hub calls it now and then. */
  sweep(): void
  /** Fails every waiter and forgets everything, for instance because the store was replaced. */
  reset(error: AvisoError): void
}

/** Damages that are remembered. One that is forgotten is found again by the next reader. */
const MAX_DAMAGES = 1_000

/** @param isShared Whether more than one stream needs history now. */
export function createHistory(parts: HistoryParts & { readonly isShared: () => boolean }): History {
  const { ring, clock, isShared } = parts
  const pages = createHistoryPages(() => (isShared() ? HISTORY_CACHE_BYTES : HISTORY_ALONE_BYTES))
  const readers = new Set<HistoryReader>()
  /** Streams that wait for a free reader. */
  const queue = new Set<HistoryWaiter>()
  const losses = createLosses()
  let stopRetry: (() => void) | undefined

  function request(waiter: HistoryWaiter): void {
    const { next } = waiter
    if (next >= ring.floor || pages.find(next) !== undefined) return waiter.resume()
    const behind = losses.behind(next)
    if (behind !== undefined) return waiter.fail(compacted(behind))
    const reader = readerFor(readers, next)
    if (reader !== undefined) return reader.add(waiter)
    makeRoom()
    if (readers.size < HISTORY_READERS) return start(next).add(waiter)
    queue.add(waiter)
    retryLater()
  }

  /** Takes a waiter from a reader that is too far behind. Without room for another reader, that one is still the soonest. */
  function transfer(waiter: HistoryWaiter, behind: HistoryReader): void {
    const { next } = waiter
    const nearer = readerFor(readers, next)
    if (nearer !== undefined && nearer !== behind) return nearer.add(waiter)
    makeRoom()
    return (readers.size < HISTORY_READERS ? start(next) : behind).add(waiter)
  }

  const release = (heldMs: number): void => releaseIdle(readers, clock.monotonic() - heldMs)
  const makeRoom = (): void => {
    if (readers.size >= HISTORY_READERS) release(HISTORY_CONTENDED_HOLD_MS)
  }

  /** Looks for an idle reader as soon as there may be one. */
  function retryLater(): void {
    stopRetry ??= clock.after(HISTORY_CONTENDED_HOLD_MS, () => {
      stopRetry = undefined
      makeRoom()
      if (readers.size < HISTORY_READERS) requestQueued()
      else if (queue.size > 0) retryLater()
    })
  }

  function start(next: Revision): HistoryReader {
    const reader = startReader({
      ...parts,
      from: beginningFor(next, { pages, losses }),
      pages,
      isTurnOver: ({ passedBytes }) => queue.size > 0 && passedBytes >= HISTORY_TURN_BYTES,
      onImpatient: transfer,
      onEnd,
    })
    readers.add(reader)
    return reader
  }

  /** Handles the end of a reader: for the streams that wait for it, and for the streams that wait for its place. */
  function onEnd(reader: HistoryReader, error?: unknown): void {
    readers.delete(reader)
    losses.note(error)
    // Compaction and damage end the reader. Waiters that need no compacted revision can still be served by another reader.
    const isFinal = error !== undefined && !isPassable(error, reader.through + 1n)
    const left = reader.stop()
    // The queued waiters come first, because the waiters of this reader have had their turn.
    requestQueued()
    for (const waiter of left) {
      if (isFinal) waiter.fail(error)
      else request(waiter)
    }
  }

  function requestQueued(): void {
    const waiters = [...queue]
    queue.clear()
    waiters.forEach(request)
  }

  return {
    find: pages.find,
    request,
    forget: (waiter) => {
      if (queue.delete(waiter)) return
      for (const reader of readers) if (reader.remove(waiter)) return
    },
    sweep: () => {
      pages.trim()
      release(queue.size > 0 ? HISTORY_CONTENDED_HOLD_MS : HISTORY_HOLD_MS)
      if (queue.size > 0 && readers.size < HISTORY_READERS) requestQueued()
    },
    reset: (error) => {
      const waiters = [...queue, ...[...readers].flatMap((reader) => reader.stop())]
      stopRetry?.()
      stopRetry = undefined
      readers.clear()
      queue.clear()
      pages.clear()
      losses.forget()
      for (const waiter of waiters) waiter.fail(error)
    },
  }
}

/** The reader that will reach a revision soonest. */
function readerFor(readers: ReadonlySet<HistoryReader>, next: Revision): HistoryReader | undefined {
  let nearest: HistoryReader | undefined
  for (const reader of readers) {
    if (reader.next > next || next - reader.through > HISTORY_SHARED_REVISIONS) continue
    if (nearest === undefined || reader.next > nearest.next) nearest = reader
  }
  return nearest
}

/** The revision where a reader to `next` begins: a little before it, but not inside a known page, or in front of known damage. */
function beginningFor(
  next: Revision,
  { pages, losses }: { readonly pages: HistoryPages; readonly losses: Losses },
): Revision {
  const aligned = next - (next % HISTORY_ALIGNMENT)
  let from = losses.clear(aligned, next)
  for (let page = pages.find(from); page !== undefined; page = pages.find(from)) from = page.through + 1n
  return from
}

/** Ends the readers that nobody has asked for more since `before`, in monotonic time. */
function releaseIdle(readers: Set<HistoryReader>, before: number): void {
  for (const reader of readers) {
    if (reader.idleSince > before) continue
    readers.delete(reader)
    reader.stop()
  }
}

/** What of the history cannot be read, as far as the store has said. */
interface Losses {
  /** Takes what ended a reader. */
  note(error: unknown): void
  /** The first revision that can be read behind a revision that cannot. `undefined` where it can. */
  behind(revision: Revision): Revision | undefined
  /** The first revision from `from` on with nothing lost between it and `to`. */
  clear(from: Revision, to: Revision): Revision
  forget(): void
}

function createLosses(): Losses {
  /** What is older is compacted. */
  let oldest: Revision = 1n
  /** Damage, by its first revision. */
  const damages = new Map<Revision, HistoryDamaged>()
  const noteDamage = (damage: HistoryDamaged): void => {
    damages.set(damage.from, damage)
    const [first] = damages.keys()
    if (damages.size > MAX_DAMAGES && first !== undefined) damages.delete(first)
  }
  return {
    note: (error) => {
      oldest = later(oldest, oldestRevisionOf(error) ?? 1n)
      if (error instanceof HistoryDamaged) noteDamage(error)
    },
    behind: (revision) =>
      revision < oldest
        ? oldest
        : [...damages.values()].find(({ from, next }) => from <= revision && revision < next)?.next,
    clear: (from, to) =>
      [...damages.values()]
        .filter(({ next }) => next <= to)
        .reduce((latest, { next }) => later(latest, next), later(from, oldest)),
    forget: () => {
      oldest = 1n
      damages.clear()
    },
  }
}

function later(one: Revision, other: Revision): Revision {
  return one > other ? one : other
}

/** Whether those who need nothing of what is lost can be served by another reader. @param next What the reader was about to read. */
function isPassable(error: unknown, next: Revision): boolean {
  if (error instanceof HistoryDamaged) return true
  const oldest = oldestRevisionOf(error)
  return oldest !== undefined && oldest > next
}

function compacted(oldest: Revision): HistoryCompacted {
  return new HistoryCompacted('The history from this position on is no longer kept', oldest)
}
