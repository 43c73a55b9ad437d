/**
 * One reader of history: a watch of the store that moves forward, and serves all streams on its way.
 *
 * @module
 */

import { HistoryDamaged } from '#shared/errors.ts'
import { onNextTurn } from '#shared/time/turn.ts'
import type { KeyRange, Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { Decoder } from './decode.ts'
import { isEmptyEntry, type Entry } from './entry.ts'
import { followStore, type KnownEpoch } from './follow.ts'
import type { HistoryPages } from './history_pages.ts'
import { HISTORY_ALIGNMENT, HISTORY_PAGE_BYTES, HISTORY_PATIENCE_BYTES } from './limits.ts'
import { createNumbering, entryOf } from './numbering.ts'
import type { Ring } from './ring.ts'

/** A stream that waits for history. */
export interface HistoryWaiter {
  /** The revision that the stream needs. */
  readonly next: Revision
  /** Called when the page is there, or the ring holds the revision by now. The page may be dropped once this returns. */
  resume(): void
  /** Called when the revision cannot be had: `ERR_HISTORY_COMPACTED`, `ERR_EPOCH_CHANGED`, or the hub is closed. */
  fail(error: unknown): void
}

export interface HistoryParts {
  readonly store: Store
  /** The hull: the same range that fills the ring. */
  readonly range: KeyRange
  /** The epoch of the store: the same object for all of its followers. */
  readonly epoch: KnownEpoch
  readonly decode: Decoder
  readonly ring: Ring
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
}

export interface HistoryReader {
  /** First revision of its way. */
  readonly from: Revision
  /** First revision that is not in a page yet. */
  readonly next: Revision
  /** Last revision that it has seen. */
  readonly through: Revision
  /** Estimated memory of everything that it has read. */
  readonly passedBytes: number
  /** When its last waiter left, in monotonic time; `Infinity` while it has waiters. */
  readonly idleSince: number
  /** Adds a waiter; the reader goes on until it has reached the waiter's revision. It may resume the waiter before this returns. */
  add(waiter: HistoryWaiter): void
  /** Removes a waiter. @returns `false` when it was not a waiter of this reader. */
  remove(waiter: HistoryWaiter): boolean
  /** Ends the reader. @returns the waiters that still wait. */
  stop(): HistoryWaiter[]
}

export interface ReaderRequest extends HistoryParts {
  readonly from: Revision
  readonly pages: HistoryPages
  /** Whether the reader should give way to waiting streams. It is asked after each page that is not the last. */
  readonly isTurnOver: (reader: HistoryReader) => boolean
  /** Called for a waiter whose revision has not come after {@link HISTORY_PATIENCE_BYTES}. The reader no longer has it. */
  readonly onImpatient: (waiter: HistoryWaiter, reader: HistoryReader) => void
  /** Called when the reader has reached the ring or a known page, its turn is over, or it has failed. Not called after `stop`. */
  readonly onEnd: (reader: HistoryReader, error?: unknown) => void
}

/** Starts a reader. */
export function startReader(request: ReaderRequest): HistoryReader {
  const { from, pages, ring, decode, clock } = request
  const waiters = createWaiters()
  const stop = new AbortController()
  let entries: Entry[] = []
  let bytes = 0
  let isCutting = false
  const gate = createGate()
  const number = createNumbering(request.store)

  const reader: { -readonly [Field in keyof HistoryReader]: HistoryReader[Field] } = {
    from,
    next: from,
    through: from - 1n,
    passedBytes: 0,
    idleSince: clock.monotonic(),
    add: (waiter) => {
      waiters.add(waiter, reader.passedBytes)
      reader.idleSince = Infinity
      if (reader.through >= waiter.next) cut()
      gate.open()
    },
    remove: (waiter) => {
      const isHere = waiters.remove(waiter)
      if (isHere && waiters.size === 0) reader.idleSince = clock.monotonic()
      return isHere
    },
    stop: () => {
      stop.abort()
      gate.open()
      return waiters.take(() => true)
    },
  }

  async function run(): Promise<void> {
    for await (const message of followStore({ ...request, signal: stop.signal })) {
      // The store may still yield messages that it had ready before the abort.
      if (stop.signal.aborted) return
      if (message.kind === 'created') continue
      const entry = entryOf(message, decode, number)
      take(message.revision, entry instanceof Promise ? await entry : entry)
      if (stop.signal.aborted) return
      const isAtRing = reader.through >= ring.floor - 1n
      if (!isAtRing && bytes < HISTORY_PAGE_BYTES) {
        cutLater()
        continue
      }
      // This page is read while the streams write the one before. It waits until one of them asks for it.
      if (!isAtRing && waiters.size === 0 && !request.isTurnOver(reader)) await gate.opened()
      cut()
      if (isAtRing || pages.find(reader.next) !== undefined || request.isTurnOver(reader)) return
    }
  }

  function take(revision: Revision, entry: Entry | undefined): void {
    reader.through = revision
    reader.passedBytes += entry?.bytes ?? 0
    if (entry === undefined || isEmptyEntry(entry)) return
    entries.push(entry)
    bytes += entry.bytes
  }

  /** At the end of the turn, cuts a page from everything that has arrived by then, if a waiter needs it. */
  function cutLater(): void {
    if (isCutting) return
    isCutting = true
    onNextTurn(() => {
      isCutting = false
      if (waiters.some(({ next }) => next <= reader.through)) cut()
    })
  }

  /** Makes a page of the revisions read so far, and resumes the waiters that need it. */
  function cut(through = reader.through): void {
    reader.through = through
    if (stop.signal.aborted || through < reader.next) return
    pages.add(reader.next, through, entries)
    reader.next = through + 1n
    entries = []
    bytes = 0
    const served = waiters.take(({ next }) => next <= through || next >= ring.floor)
    const impatient = waiters.take(
      (waiter, since) =>
        reader.passedBytes - since >= HISTORY_PATIENCE_BYTES && waiter.next - through > HISTORY_ALIGNMENT,
    )
    if (waiters.size === 0) reader.idleSince = clock.monotonic()
    for (const waiter of served) waiter.resume()
    for (const waiter of impatient) request.onImpatient(waiter, reader)
  }

  const end = (error?: unknown): void => {
    // What lies before a damaged revision is served.
    if (error instanceof HistoryDamaged) cut(error.from - 1n)
    if (!stop.signal.aborted) request.onEnd(reader, error)
  }
  run().then(() => end(), end)
  return reader
}

/** Streams that wait for a reader. */
interface Waiters {
  readonly size: number
  /** @param since What the reader has passed, in bytes. */
  add(waiter: HistoryWaiter, since: number): void
  remove(waiter: HistoryWaiter): boolean
  some(test: (waiter: HistoryWaiter) => boolean): boolean
  /** Removes those that pass a test. */
  take(test: (waiter: HistoryWaiter, since: number) => boolean): HistoryWaiter[]
}

function createWaiters(): Waiters {
  const waiters = new Map<HistoryWaiter, number>()
  return {
    get size() {
      return waiters.size
    },
    add: (waiter, since) => {
      waiters.set(waiter, since)
    },
    remove: (waiter) => waiters.delete(waiter),
    some: (test) => {
      for (const waiter of waiters.keys()) if (test(waiter)) return true
      return false
    },
    take: (test) => {
      const taken: HistoryWaiter[] = []
      for (const [waiter, since] of waiters) {
        if (!test(waiter, since)) continue
        waiters.delete(waiter)
        taken.push(waiter)
      }
      return taken
    },
  }
}

/** A gate where a reader pauses. */
function createGate(): { readonly open: () => void; readonly opened: () => Promise<void> } {
  let open: () => void = () => undefined
  return {
    open: () => open(),
    opened: () =>
      new Promise((resolve) => {
        open = resolve
      }),
  }
}
