/**
 * History for streams that lie behind the ring: a few readers page through the store, each for all the streams on its way.
 *
 * Flow: store → **history** → hub → auth → listener
 *
 * A watch is the one way to read the store's history in order. A reader follows one from where a stream asks, cuts what comes into pages
 * and stops where the ring begins, where a page is known already, or where nobody asks for more.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { KeyRange, Revision, Store } from '#shared/store/store.ts'
import { onNextTurn } from '#shared/store/mvcc_turn.ts'
import type { Clock } from '#shared/telemetry/clock.ts'
import type { Logger } from '#shared/telemetry/logger.ts'
import type { Decoder } from './decode.ts'
import type { Entry } from './entry.ts'
import { followStore } from './follow.ts'
import { createHistoryPages, type Page } from './history_pages.ts'
import {
  HISTORY_ALIGNMENT,
  HISTORY_CACHE_BYTES,
  HISTORY_CONTENDED_HOLD_MS,
  HISTORY_HOLD_MS,
  HISTORY_PAGE_BYTES,
  HISTORY_READERS,
  HISTORY_TURN_REVISIONS,
} from './limits.ts'
import type { Ring } from './ring.ts'

/** Somebody who waits for history. */
export interface HistoryWaiter {
  /** The revision it needs. */
  readonly next: Revision
  /** The page is there, or the ring holds the revision by now. The page may go once this returns. */
  resume(): void
  /** It never will be: `ERR_HISTORY_COMPACTED` (`details.oldest_revision`), `ERR_EPOCH_CHANGED`, or the hub is closed. */
  fail(error: unknown): void
}

export interface History {
  /** The page that holds a revision, if it is known. */
  find(revision: Revision): Page | undefined
  /** Has a revision read, and calls the waiter once; never before this returns, unless the page is already there. */
  request(waiter: HistoryWaiter): void
  /** Takes a waiter back. */
  forget(waiter: HistoryWaiter): void
  /** Lets go of readers that nobody uses. Called now and then. */
  sweep(): void
  /** Forgets everything and fails every waiter. Used again afterwards where the store was replaced. */
  reset(error: AvisoError): void
}

export interface HistoryParts {
  readonly store: Store
  readonly range: KeyRange
  readonly decode: Decoder
  readonly ring: Ring
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
}

/** One watch of the store, on its way forward. */
interface Reader {
  /** Where its way began. */
  readonly from: Revision
  /** First revision of the page that it fills. */
  next: Revision
  /** Last revision of it so far. */
  through: Revision
  entries: Entry[]
  bytes: number
  readonly waiters: Set<HistoryWaiter>
  readonly stop: AbortController
  /** When the last waiter left; 0 while there are some. */
  idleSince: number
  /** Whether a page is about to be cut in the next turn. */
  isCutting: boolean
  /** Ends its pause. */
  wake: () => void
}

export function createHistory(parts: HistoryParts): History {
  const { store, range, decode, ring, clock, random, logger } = parts
  const pages = createHistoryPages(HISTORY_CACHE_BYTES)
  const readers = new Set<Reader>()
  const queue = new Set<HistoryWaiter>()
  /** Nothing before it can be read, as far as the store has told. */
  let oldest: Revision = 1n

  const isServed = ({ next }: HistoryWaiter): boolean => next >= ring.floor || pages.find(next) !== undefined

  function request(waiter: HistoryWaiter): void {
    const { next } = waiter
    if (next < oldest) return waiter.fail(compacted(oldest))
    const reader = readerFor(next)
    if (reader === undefined) {
      if (readers.size >= HISTORY_READERS) releaseIdle(HISTORY_CONTENDED_HOLD_MS)
      if (readers.size >= HISTORY_READERS) queue.add(waiter)
      else start(waiter)
      return
    }
    reader.waiters.add(waiter)
    reader.idleSince = 0
    if (reader.through >= next) cut(reader)
    if (reader.waiters.size > 0) reader.wake()
  }

  /** The reader that comes by a revision soonest. */
  function readerFor(next: Revision): Reader | undefined {
    let nearest: Reader | undefined
    for (const reader of readers) {
      if (reader.next > next || next - reader.through > HISTORY_TURN_REVISIONS) continue
      if (nearest === undefined || reader.next > nearest.next) nearest = reader
    }
    return nearest
  }

  function start(waiter: HistoryWaiter): void {
    const aligned = waiter.next - (waiter.next % HISTORY_ALIGNMENT)
    const from = aligned > oldest ? aligned : oldest
    const reader: Reader = {
      from,
      next: from,
      through: from - 1n,
      entries: [],
      bytes: 0,
      waiters: new Set([waiter]),
      stop: new AbortController(),
      idleSince: 0,
      isCutting: false,
      wake: () => undefined,
    }
    readers.add(reader)
    run(reader).then(
      () => end(reader),
      (error: unknown) => end(reader, error),
    )
  }

  async function run(reader: Reader): Promise<void> {
    const { signal } = reader.stop
    const messages = followStore({ store, range, from: reader.from, clock, random, logger, signal })
    for await (const message of messages) {
      if (message.kind === 'created') continue
      if (message.kind === 'revision') {
        const entry = decode(message.revision, message.events)
        if (entry.events.length > 0) {
          reader.entries.push(entry)
          reader.bytes += entry.bytes
        }
      }
      reader.through = message.revision
      const isAtRing = reader.through >= ring.floor - 1n
      if (isAtRing || reader.bytes >= HISTORY_PAGE_BYTES) cut(reader)
      else cutLater(reader)
      if (isAtRing || isDone(reader)) return
      if (reader.waiters.size === 0) await pause(reader)
    }
  }

  /** Whether the rest of its way is known, or others have waited for their turn. */
  function isDone({ from, next, through, waiters }: Reader): boolean {
    if (next <= through) return false
    if (pages.find(next) !== undefined) return true
    return queue.size > 0 && waiters.size > 0 && through - from >= HISTORY_TURN_REVISIONS
  }

  function pause(reader: Reader): Promise<void> {
    const { signal } = reader.stop
    return new Promise((resolve) => {
      const wake = (): void => {
        reader.wake = () => undefined
        signal.removeEventListener('abort', wake)
        resolve()
      }
      reader.wake = wake
      signal.addEventListener('abort', wake)
      if (signal.aborted) wake()
    })
  }

  /** Cuts the page once everything that has arrived by now is in it. */
  function cutLater(reader: Reader): void {
    if (reader.isCutting) return
    reader.isCutting = true
    onNextTurn(() => {
      reader.isCutting = false
      if (!readers.has(reader)) return
      for (const { next } of reader.waiters) if (next <= reader.through) return cut(reader)
    })
  }

  /** Hands out what the reader has as a page. */
  function cut(reader: Reader): void {
    if (reader.through < reader.next) return
    pages.add(reader.next, reader.through, reader.entries)
    reader.next = reader.through + 1n
    reader.entries = []
    reader.bytes = 0
    const served = [...reader.waiters].filter(isServed)
    for (const waiter of served) reader.waiters.delete(waiter)
    if (reader.waiters.size === 0) reader.idleSince = clock.now()
    for (const waiter of served) waiter.resume()
  }

  /** Takes a reader out and sees to those who still wait for it, and for its place. */
  function end(reader: Reader, error?: unknown): void {
    readers.delete(reader)
    reader.stop.abort()
    const told = oldestRevisionOf(error)
    // Whoever needs nothing that is gone goes on behind it.
    const isFinal = error !== undefined && (told === undefined || told <= reader.through + 1n)
    if (told !== undefined && told > oldest) oldest = told
    // Those in the queue first: the others have had their turn.
    const waiters = [...queue, ...reader.waiters]
    queue.clear()
    for (const waiter of waiters) {
      const isOwn = reader.waiters.delete(waiter)
      if (isServed(waiter)) waiter.resume()
      else if (isOwn && isFinal) waiter.fail(error)
      else request(waiter)
    }
  }

  function releaseIdle(heldMs: number): void {
    const now = clock.now()
    for (const reader of readers) {
      if (reader.waiters.size === 0 && now - reader.idleSince >= heldMs) {
        readers.delete(reader)
        reader.stop.abort()
      }
    }
  }

  return {
    find: pages.find,
    request,
    forget: (waiter) => {
      queue.delete(waiter)
      for (const reader of readers) {
        if (reader.waiters.delete(waiter) && reader.waiters.size === 0) reader.idleSince = clock.now()
      }
    },
    sweep: () => {
      releaseIdle(queue.size > 0 ? HISTORY_CONTENDED_HOLD_MS : HISTORY_HOLD_MS)
      if (queue.size === 0 || readers.size >= HISTORY_READERS) return
      const waiting = [...queue]
      queue.clear()
      waiting.forEach(request)
    },
    reset: (error) => {
      const waiters = [...queue, ...[...readers].flatMap((reader) => [...reader.waiters])]
      for (const reader of readers) {
        reader.stop.abort()
        reader.waiters.clear()
      }
      readers.clear()
      queue.clear()
      pages.clear()
      oldest = 1n
      for (const waiter of waiters) waiter.fail(error)
    },
  }
}

/** The oldest revision that an `ERR_HISTORY_COMPACTED` names. */
export function oldestRevisionOf(error: unknown): Revision | undefined {
  if (!isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return undefined
  const text = String(error.details['oldest_revision'] ?? '')
  return /^\d{1,19}$/.test(text) ? BigInt(text) : undefined
}

function compacted(oldest: Revision): AvisoError {
  return new AvisoError('ERR_HISTORY_COMPACTED', 'The history from this position on is no longer kept', {
    details: { oldest_revision: oldest.toString() },
  })
}
