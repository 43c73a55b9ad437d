/**
 * Reads what the journal says of products, of published runs and of removals, in the order in which it was stored.
 *
 * @module
 */

import { HistoryDamaged, isAvisoError, oldestRevisionOf } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { followStore } from '#shared/hub/source/follow.ts'
import { parseJournal } from '#shared/journal/codec.ts'
import { JOURNAL_PREFIX, journalKey, REMOVED_PREFIX, type JournalBatch } from '#shared/journal/journal.ts'
import { revisionOfSequence } from '#shared/journal/positions.ts'
import { parseRemoved, removedKey } from '#shared/journal/removed.ts'
import type { Logger } from '#shared/logger.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Bookmark, RunProduct } from '#shared/runs/runs.ts'
import type { KeyRange, KeyValue, Revision, Store, WatchMessage } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { RUNS_LIMITS } from './limits.ts'
import { createRemovalTeller, readRemoved, type RemovalReaders, type RemovalTeller } from './removals.ts'
import { RUN_EVENT } from './run_schema.ts'
import type { RemovalsRead } from './run_store.ts'

/** What is told of the journal. */
export interface JournalReaders extends RemovalReaders {
  /** All products that were stored before `at` (milliseconds since 1970) have been told. */
  passed(at: number): void
  product(product: RunProduct): void
  /** A notification of a run is stored. */
  announced(key: string): void
  /** `false`: there is more in the journal than was told, or that is not known. */
  upToDate(isSo: boolean): void
}

export interface JournalReaderParts {
  readonly store: Store
  readonly schemas: Schemas
  /** Event types of the products. */
  readonly events: readonly string[]
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
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
  const tell = createTeller(parts, { bookmark, removals }, readers)
  // Long ago: no time has passed for runs yet.
  for (const [event, each] of now) await removals.tell(event, each, 0)
  for (const event of parts.events) if (!now.has(event)) readers.removalsRead(event, 0n)
  let next = await startOf(parts, bookmark, signal)
  for (;;) {
    try {
      return await followFrom(parts, next, { tell, upToDate: readers.upToDate, signal })
    } catch (error) {
      const behind = error instanceof HistoryDamaged ? error.next : oldestRevisionOf(error)
      if (signal.aborted || behind === undefined || behind <= next) throw error
      parts.logger(
        'error',
        'A part of the journal cannot be read, so its products are missing in their runs',
        {
          from: next,
          next: behind,
        },
      )
      readers.upToDate(false)
      next = behind
    }
  }
}

interface Following extends Pick<JournalReaders, 'upToDate'> {
  readonly tell: Teller
  readonly signal: AbortSignal
}

async function followFrom(
  parts: JournalReaderParts,
  from: Revision,
  { tell, upToDate, signal }: Following,
): Promise<void> {
  const range = rangeOf(parts.events)
  const onState = ({ connected }: { readonly connected: boolean }): void => {
    if (!connected) upToDate(false)
  }
  let reached = from - 1n
  /** The last revision that had something to tell when the watch was opened; absent: it was reached. */
  let target: Revision | undefined
  for await (const message of followStore({ ...parts, range, from, signal, onState })) {
    if (message.kind === 'created') target = await newestIn(parts, range, signal)
    else {
      await tell(message)
      reached = message.revision
    }
    if (target === undefined || target > reached) continue
    target = undefined
    upToDate(true)
  }
}

/** All journals and removals from the first event type on: one watch has one order. */
function rangeOf(events: readonly string[]): KeyRange {
  const names = [...events, RUN_EVENT].toSorted()
  return {
    key: toBytes(journalKey(names[0] ?? '')),
    end: toBytes(`${removedKey(names.at(-1) ?? '')}\0`),
  }
}

async function newestIn(
  { store, clock }: JournalReaderParts,
  range: KeyRange,
  signal: AbortSignal,
): Promise<Revision> {
  const request = { ...range, sortTarget: 'MOD', sortOrder: 'DESCEND', limit: 1, keysOnly: true } as const
  for (;;) {
    try {
      const [kv] = (await store.range(request, { signal })).kvs
      return kv?.modRevision ?? 0n
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

/** What is known when reading begins. */
interface TellerStart {
  readonly bookmark: Bookmark | undefined
  readonly removals: RemovalTeller
}

type Told = Exclude<WatchMessage, { readonly kind: 'created' }>
type Teller = (message: Told) => Promise<void>

function createTeller(
  parts: JournalReaderParts,
  { bookmark, removals }: TellerStart,
  readers: JournalReaders,
): Teller {
  const { schemas, events, logger } = parts
  const followed = new Set(events)
  let sinceTurn = 0

  function tellBatch(event: string, revision: Revision, batch: JournalBatch): void {
    const at = Date.parse(batch.at)
    readers.passed(at - RUNS_LIMITS.lagMs)
    if (event === RUN_EVENT) {
      for (const { key } of batch.events) readers.announced(key)
      return
    }
    const first = bookmark?.events[event]?.sequence ?? 0
    const { wipedThrough, ids } = removals.of(event)
    if (revision <= wipedThrough) return
    for (const { key, seq, fields } of batch.events) {
      const isLeftOut = seq < first || (ids.size > 0 && ids.has(BigInt(seq)))
      const request = isLeftOut ? undefined : schemas.decodeKey(key)?.request
      if (request === undefined) continue
      readers.product({
        event,
        fields: fields === undefined ? request : { ...request, ...fields },
        at,
        revision,
        sequence: seq,
      })
    }
    sinceTurn += batch.events.length
  }

  async function tell(kind: 'put' | 'delete', kv: KeyValue): Promise<void> {
    const key = toText(kv.key)
    const isJournal = key.startsWith(JOURNAL_PREFIX)
    const event = key.slice((isJournal ? JOURNAL_PREFIX : REMOVED_PREFIX).length)
    if (!followed.has(event) && event !== RUN_EVENT) return
    if (kind === 'delete') return
    try {
      if (isJournal) tellBatch(event, kv.modRevision, parseJournal(kv.value, key))
      else
        await removals.tell(
          event,
          { ...parseRemoved(kv.value, event), revision: kv.modRevision },
          parts.clock.now(),
        )
    } catch (error) {
      if (!isAvisoError(error, 'ERR_STORE_PROTOCOL')) throw error
      logger('error', 'A journal could not be read, so its products are missing in their runs', {
        key,
        code: error.code,
      })
    }
  }

  return async (message) => {
    if (message.kind === 'progress') return
    for (const { kind, kv } of message.events) await tell(kind, kv)
    if (sinceTurn < RUNS_LIMITS.productsPerTurn) return
    sinceTurn = 0
    await nextTurn()
  }
}
