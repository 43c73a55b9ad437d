/**
 * Reads the commits whose ids an ingest must know when it starts: those of its window.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import {
  commitsSince,
  lastSequence,
  readCommit,
  type JournalCommit,
  type JournalSource,
} from '#shared/journal/commits.ts'
import { revisionOfDate, revisionOfSequence } from '#shared/journal/positions.ts'
import type { Revision } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { lastDamaged } from './damage.ts'
import type { PublishLimits } from './limits.ts'

/**
 * The newest notifications, whose ids are read whatever clocks say: an ingest whose clock is ahead would take them for old ones. As many as
 * the smallest window surely has.
 */
const SURE_ITEMS = 20_000

/** Reads the window of one event type. */
export interface WindowReader {
  /** The first revision of the window. @throws {AvisoError} The store's error. */
  start(newest: JournalCommit, signal: AbortSignal): Promise<Revision>
  /**
   * The commits of the window up to the newest, oldest first, as far as history has them.
   *
   * @throws {AvisoError} The store's error. Damage in the window is one, because the ids there are not known.
   */
  commits(newest: JournalCommit, signal: AbortSignal): Promise<readonly JournalCommit[]>
}

export interface WindowReaderParts {
  readonly source: JournalSource
  readonly limits: PublishLimits
  readonly clock: Clock
}

export function createWindowReader({ source, limits, clock }: WindowReaderParts): WindowReader {
  const fromMs = (): number => clock.now() - limits.idWindowMs
  const start: WindowReader['start'] = (newest, signal) =>
    findStartOfWindow(source, newest, {
      // What a window surely has. As many again would make a start twice as long.
      items: Math.ceil(limits.idWindowItems / 2),
      fromMs: fromMs(),
      signal,
    })
  /** Whether everything up to a revision is older than the window. */
  const isOutdated = async (through: Revision, signal: AbortSignal): Promise<boolean> => {
    const position = await revisionOfDate(source.store, source.event, fromMs(), { signal })
    return position.revision > through
  }
  /** @param known Commits up to this revision are not looked for. */
  const read = async (
    newest: JournalCommit,
    signal: AbortSignal,
    known: Revision,
  ): Promise<readonly JournalCommit[]> => {
    try {
      const from = async (): Promise<Revision> => later(known + 1n, await start(newest, signal))
      return (await commitsSince(source, { known, newest, signal }, from)).commits
    } catch (error) {
      const damaged = lastDamaged(error)
      // The window reaches back further than its time, in case of a wrong clock; but not through damage.
      if (damaged === undefined || damaged <= known || !(await isOutdated(damaged, signal))) throw error
      return read(newest, signal, damaged)
    }
  }
  return { start, commits: (newest, signal) => read(newest, signal, 0n) }
}

function later(one: Revision, other: Revision): Revision {
  return one > other ? one : other
}

async function findStartOfWindow(
  { store, event }: JournalSource,
  newest: JournalCommit,
  {
    items,
    fromMs,
    signal,
  }: { readonly items: number; readonly fromMs: number; readonly signal: AbortSignal },
): Promise<Revision> {
  const source = { store, event }
  const [byDate, byNumber, sure] = await Promise.all([
    revisionOfDate(store, event, fromMs, { signal }),
    startOfItems(source, newest, items, signal),
    startOfItems(source, newest, Math.min(items, SURE_ITEMS), signal),
  ])
  const recent = byDate.revision < sure ? byDate.revision : sure
  return recent > byNumber ? recent : byNumber
}

/**
 * The revision of the first of the last `items` notifications. Numbers that were left out when the store had lost something are none of
 * them: what is before those belongs to the window, too.
 */
async function startOfItems(
  source: JournalSource,
  newest: JournalCommit,
  items: number,
  signal: AbortSignal,
): Promise<Revision> {
  const first = Math.max(1, lastSequence(newest) - items + 1)
  const position = await revisionOfSequence(source.store, source.event, BigInt(first), { signal })
  const start = position.revision ?? 1n
  if (position.kind !== 'unknown') return start
  const { commit: behind } = await readCommit(source, start, { signal })
  const before = await commitBefore(source, behind, signal)
  if (behind === undefined || before === undefined) return start
  return startOfItems(source, before, items - (lastSequence(newest) - behind.batch.first_seq + 1), signal)
}

/** The commit before another one; `undefined` where there is none, or history has it no longer. */
async function commitBefore(
  source: JournalSource,
  commit: JournalCommit | undefined,
  signal: AbortSignal,
): Promise<JournalCommit | undefined> {
  const previous = BigInt(commit?.batch.prev ?? 0)
  if (previous === 0n) return undefined
  try {
    return (await readCommit(source, previous, { signal })).commit
  } catch (error) {
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return undefined
    throw error
  }
}
