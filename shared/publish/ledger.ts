/**
 * The ledger: what an ingest knows about the journal of one event type. That is its newest commit (the head), and the recent ids.
 *
 * @module
 */

import {
  commitsSince,
  lastSequence,
  readCommit,
  toCommit,
  type JournalCommit,
} from '#shared/journal/commits.ts'
import type { JournalBatch } from '#shared/journal/journal.ts'
import { revisionOfDate, revisionOfSequence, type JournalPosition } from '#shared/journal/positions.ts'
import type { KeyValue, Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Head } from './attempt.ts'
import { createIdWindow, identityOf, type IdWindow, type StoredItem } from './id_window.ts'
import type { PublishLimits } from './limits.ts'

/** A gap of more notifications than this may begin before the window of ids. It is then worth finding the start of the window. */
const LONG_GAP = 10_000

const NO_COMMITS: Head = { revision: 0n, nextSequence: 1, atMs: 0 }

/** The commits in the journal since the known head. */
export interface Advance {
  /** Oldest first: the id of each batch, and its notifications in order. */
  readonly commits: readonly { readonly batch: string; readonly stored: readonly StoredItem[] }[]
  /** Whether these are all commits. If not, the outcome of a transaction sent under the old head may stay unknown. */
  readonly complete: boolean
}

export interface Ledger {
  readonly window: IdWindow
  /** The newest known commit; absent before {@link open}. */
  head(): Head | undefined
  /** Reads the journal's head and fills the window. @throws {AvisoError} The store's error. */
  open(signal: AbortSignal): Promise<Head>
  /** Reads the commits up to the journal's present value. @throws {AvisoError} The store's error; nothing is recorded then. */
  advance(current: KeyValue | undefined, signal: AbortSignal): Promise<Advance>
  /** Records a commit of this ingest. @returns its notifications, in order. */
  record(revision: Revision, batch: JournalBatch): readonly StoredItem[]
}

export interface LedgerParts {
  readonly store: Store
  readonly event: string
  readonly limits: PublishLimits
  readonly strictIds: boolean
  readonly clock: Clock
}

export function createLedger({ store, event, limits, strictIds, clock }: LedgerParts): Ledger {
  const window = createIdWindow({ maxItems: limits.idWindowItems, maxAgeMs: limits.idWindowMs })
  const source = { store, event }
  let head: Head | undefined

  const record = (revision: Revision, batch: JournalBatch): StoredItem[] => {
    const atMs = Date.parse(batch.at)
    head = { revision, nextSequence: batch.first_seq + batch.events.length, atMs }
    return batch.events.map((entry) => {
      const stored: StoredItem = {
        key: entry.key,
        hash: entry.hash,
        revision,
        seq: entry.seq,
        at: batch.at,
        atMs,
      }
      window.add(identityOf(entry, strictIds), stored)
      return stored
    })
  }
  const startOfWindow = async (newest: JournalCommit, signal: AbortSignal): Promise<Revision> => {
    const firstSequence = Math.max(1, lastSequence(newest) - limits.idWindowItems + 1)
    const positions = await Promise.all([
      revisionOfDate(store, event, clock.now() - limits.idWindowMs, { signal }),
      revisionOfSequence(store, event, BigInt(firstSequence), { signal }),
    ])
    return latest(positions)
  }
  return {
    window,
    head: () => head,
    open: async (signal) => {
      const { commit: newest } = await readCommit(source, undefined, { signal })
      if (newest === undefined) return (head = NO_COMMITS)
      const { commits } = await commitsSince(source, { known: 0n, newest, signal }, () =>
        startOfWindow(newest, signal),
      )
      for (const { revision, batch } of commits) record(revision, batch)
      return head ?? NO_COMMITS
    },
    advance: async (current, signal) => {
      const known = head ?? NO_COMMITS
      if (current === undefined) {
        // The journal was deleted. Numbers go on, because listeners end at a jump backwards.
        head = { ...known, revision: 0n }
        return { commits: [], complete: false }
      }
      const newest = toCommit(source, current)
      const isLong = newest.batch.first_seq - known.nextSequence > LONG_GAP
      const found = await commitsSince(source, { known: known.revision, newest, signal }, async () => {
        const start = isLong ? await startOfWindow(newest, signal) : 0n
        return start > known.revision ? start : known.revision + 1n
      })
      return {
        commits: found.commits.map(({ revision, batch }) => ({
          batch: batch.batch,
          stored: record(revision, batch),
        })),
        complete: found.complete,
      }
    },
    record,
  }
}

function latest(positions: readonly JournalPosition[]): Revision {
  return positions.reduce(
    (revision, position) => (position.revision > revision ? position.revision : revision),
    1n,
  )
}
