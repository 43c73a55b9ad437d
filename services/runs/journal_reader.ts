/**
 * Reads what the journal says of products, of published runs and of removals, in the order in which it was stored.
 *
 * @module
 */

import { HistoryDamaged, isAvisoError, oldestRevisionOf } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Entry } from '#shared/hub/source/entry.ts'
import type { Feed } from '#shared/hub/source/feed.ts'
import { followStore, type KnownEpoch } from '#shared/hub/source/follow.ts'
import { JOURNAL_PREFIX, journalKey } from '#shared/journal/journal.ts'
import { revisionOfSequence } from '#shared/journal/positions.ts'
import { removedKey } from '#shared/journal/removed.ts'
import type { Bookmark } from '#shared/runs/runs.ts'
import type { KeyRange, Revision, Store } from '#shared/store/store.ts'
import {
  createJournalTeller,
  type JournalReaders,
  type JournalTeller,
  type JournalTellerParts,
} from './journal_teller.ts'
import { RUNS_LIMITS } from './limits.ts'
import { createRemovalTeller, readRemoved } from './removals.ts'
import { RUN_EVENT } from './run_schema.ts'
import type { RemovalsRead } from './run_store.ts'

export interface JournalReaderParts extends JournalTellerParts {
  readonly store: Store
  readonly random: () => string
  /** What the hub of this process has decoded; absent: there is none, so everything is read in the store. */
  readonly feed?: Feed | undefined
}

/** Where reading begins. */
export interface ReadingStart {
  readonly bookmark: Bookmark | undefined
  readonly removed: RemovalsRead
}

/**
 * Tells what was removed since the start's removals, then everything from its bookmark on, and goes on until the signal. What is damaged or no longer kept is left out, which is logged.
 *
 * @throws {AvisoError} `ERR_EPOCH_CHANGED`, and the store's error at the start. {@link RunsWiped}.
 */
export async function readJournals(
  parts: JournalReaderParts,
  { bookmark, removed }: ReadingStart,
  { readers, signal }: { readonly readers: JournalReaders; readonly signal: AbortSignal },
): Promise<void> {
  const { known, now } = await readRemoved(parts.store, removed, signal)
  const removals = createRemovalTeller(parts, known, readers)
  const tell = createJournalTeller(parts, { bookmark, removals }, readers)
  // Long ago: no time has passed for runs yet.
  for (const [event, each] of now) await removals.tell(event, each, 0)
  for (const event of parts.events) if (!now.has(event)) readers.removalsRead(event, 0n)
  const reading: Reading = {
    ...parts,
    tell,
    upToDate: readers.upToDate,
    signal,
    range: rangeOf(parts.events),
    epoch: { known: undefined },
    next: await startOf(parts, bookmark, signal),
    target: undefined,
  }
  while (!signal.aborted) {
    try {
      await followInStore(reading)
      await followInMemory(reading)
    } catch (error) {
      const behind = error instanceof HistoryDamaged ? error.next : oldestRevisionOf(error)
      if (signal.aborted || behind === undefined || behind <= reading.next) throw error
      parts.logger(
        'error',
        'A part of the journal cannot be read, so its products are missing in their runs',
        {
          from: reading.next,
          next: behind,
        },
      )
      readers.upToDate(false)
      reading.next = behind
    }
  }
}

/** How far the journal is read. */
interface Reading extends JournalReaderParts, Pick<JournalReaders, 'upToDate'> {
  readonly tell: JournalTeller
  readonly signal: AbortSignal
  readonly range: KeyRange
  readonly epoch: KnownEpoch
  /** The first revision that is not told yet. */
  next: Revision
  /** The last revision that had something to tell when the store was last connected; absent: it is told. */
  target: Revision | undefined
}

/** Tells what the store has, until the signal or until the rest is in memory. */
async function followInStore(reading: Reading): Promise<void> {
  const { feed, range, epoch, signal, tell, upToDate } = reading
  const from = reading.next
  const onState = ({ connected }: { readonly connected: boolean }): void => {
    if (!connected) upToDate(false)
  }
  for await (const message of followStore({ ...reading, range, epoch, from, signal, onState })) {
    if (message.kind === 'created') await aim(reading)
    else {
      await tell.message(message)
      advance(reading, message.revision)
    }
    arrive(reading)
    if (feed?.covers(reading.next, epoch.known) === true) return
  }
}

/** Tells what the hub of this process has decoded, until the signal or until the rest must be read in the store. */
async function followInMemory(reading: Reading): Promise<void> {
  const { feed, signal, tell, upToDate } = reading
  if (feed === undefined || signal.aborted) return
  const take = (entry: Entry): boolean => {
    if (!tell.now(entry)) return false
    advance(reading, entry.revision)
    arrive(reading)
    return true
  }
  for await (const message of feed.follow(reading.next, signal, take)) {
    if (message.kind === 'entries') {
      await tell.entries(message.entries)
      advance(reading, message.through)
    } else if (message.connected) await aim(reading)
    else upToDate(false)
    arrive(reading)
  }
  upToDate(false)
}

/** Notes what must be told before all that is stored is. What was told of it counts as read up to the store's present revision. */
async function aim(reading: Reading): Promise<void> {
  const { newest, revision } = await newestIn(reading)
  reading.target = newest
  if (newest < reading.next) advance(reading, revision)
}

function advance(reading: Reading, through: Revision): void {
  if (through >= reading.next) reading.next = through + 1n
}

function arrive(reading: Reading): void {
  if (reading.target === undefined || reading.target >= reading.next) return
  reading.target = undefined
  reading.upToDate(true)
}

/** All journals and removals from the first event type on: one watch has one order. */
function rangeOf(events: readonly string[]): KeyRange {
  const names = [...events, RUN_EVENT].toSorted()
  return {
    key: toBytes(journalKey(names[0] ?? '')),
    end: toBytes(`${removedKey(names.at(-1) ?? '')}\0`),
  }
}

/** The last revision in the range, and the store's. */
async function newestIn({
  store,
  clock,
  range,
  signal,
}: Reading): Promise<{ readonly newest: Revision; readonly revision: Revision }> {
  const request = { ...range, sortTarget: 'MOD', sortOrder: 'DESCEND', limit: 1, keysOnly: true } as const
  for (;;) {
    try {
      const { kvs, revision } = await store.range(request, { signal })
      return { newest: kvs[0]?.modRevision ?? 0n, revision }
    } catch (error) {
      // A disturbance that the watch outlives need not begin everything anew.
      if (signal.aborted || !isAvisoError(error, 'ERR_STORE_UNAVAILABLE')) throw error
      await clock.sleep(RUNS_LIMITS.restartMs, signal)
    }
  }
}

/** The revision from which on everything is needed; the oldest that is kept, where that is gone. */
async function startOf(
  { store, events }: JournalReaderParts,
  bookmark: Bookmark | undefined,
  signal: AbortSignal,
): Promise<Revision> {
  const starts = await Promise.all(
    events.map(async (event): Promise<Revision> => {
      const sequence = bookmark?.events[event]?.sequence
      if (sequence === undefined) return 1n
      const position = await revisionOfSequence(store, event, BigInt(Math.max(1, sequence)), { signal })
      if (position.kind === 'damaged') return position.behind ?? position.revision + 1n
      return position.revision ?? 1n
    }),
  )
  const start = starts.reduce((least, each) => (each < least ? each : least))
  try {
    await store.range(
      { key: toBytes(JOURNAL_PREFIX), revision: start > 0n ? start : 1n, limit: 1 },
      { signal },
    )
    return start
  } catch (error) {
    const oldest = oldestRevisionOf(error)
    if (oldest !== undefined) return oldest
    // The next revision to come.
    if (isAvisoError(error, 'ERR_FUTURE_POSITION')) return start
    throw error
  }
}
