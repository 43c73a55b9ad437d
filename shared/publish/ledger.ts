/**
 * The ledger: what an ingest knows about the journal of one event type. That is its newest commit (the head), and the recent ids.
 *
 * @module
 */

import { isAvisoError, KeyDamaged } from '#shared/errors.ts'
import {
  commitsSince,
  readCommit,
  toCommit,
  type JournalCommit,
  type JournalSource,
} from '#shared/journal/commits.ts'
import type { JournalBatch } from '#shared/journal/journal.ts'
import type { KeyValue, Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { readEpoch, type Epoch } from '#shared/journal/epoch.ts'
import type { Head } from './attempt.ts'
import { failDamaged } from './damage.ts'
import { firstUnused, nextNumber } from './numbers.ts'
import type { IdentityHash } from './identity_hash.ts'
import { createIdWindow, identityOf, type IdWindow, type Names, type StoredItem } from './id_window.ts'
import type { PublishLimits } from './limits.ts'
import { failUnavailable } from './outcome.ts'
import { createWindowReader } from './window_commits.ts'

/** A gap of more notifications than this may begin before the window of ids. It is then worth finding the start of the window. */
const LONG_GAP = 10_000

/** Commits whose ids are taken in without a break: up to 2,000 ids, some milliseconds. */
const COMMITS_PER_TURN = 16

const NO_COMMITS: Head = {
  revision: 0n,
  nextSequence: 1,
  atMs: 0,
  batch: undefined,
  epoch: undefined,
  endsTurn: false,
}

/** What has happened to the journal since the known head. */
export type Change = Advance | { readonly kind: 'replaced' }

/** The commits in the journal since the known head. */
export interface Advance {
  readonly kind: 'advanced'
  /** Oldest first, each with its notifications in order. */
  readonly commits: readonly (JournalCommit & { readonly stored: readonly StoredItem[] })[]
  /** Whether these are all commits. If not, the outcome of a transaction sent under the old head may stay unknown. */
  readonly complete: boolean
}

export interface Ledger {
  window(): IdWindow
  /** The newest known commit; absent before {@link open}. */
  head(): Head | undefined
  /** Reads the journal's head and fills the window. @throws {AvisoError} The store's error; `ERR_STORE_DAMAGED` says what that means. */
  open(signal: AbortSignal): Promise<Head>
  /**
   * Reads the commits up to the journal's present value. `replaced`: the known head is not in this store's past. Nothing is recorded then.
   *
   * @throws {AvisoError} The store's error; nothing is recorded then.
   */
  advance(current: KeyValue | undefined, signal: AbortSignal): Promise<Change>
  /** Whether the store has the known head in its past, or has compacted that past. @throws {AvisoError} The store's error. */
  isKept(signal: AbortSignal): Promise<boolean>
  /** Records a commit of this ingest. @returns its notifications, in order. */
  record(revision: Revision, batch: JournalBatch, own?: OwnItems): readonly StoredItem[]
  /** Forgets everything, because the store is another one. The numbers that were known stay used. */
  forget(): void
}

/** What an ingest knows of the notifications of its own commit, in order. */
export interface OwnItems {
  readonly items: readonly { readonly identity: string }[]
  /** The names of their identities, in this order. */
  readonly names: Names
}

export interface LedgerParts {
  readonly store: Store
  readonly event: string
  readonly limits: PublishLimits
  readonly strictIds: boolean
  readonly identityHash: IdentityHash
  readonly clock: Clock
  /** Number of the first notification of the event type; default: 1. */
  readonly firstNumber?: number
}

export function createLedger(parts: LedgerParts): Ledger {
  const { store, event, limits, strictIds, identityHash: hash, clock, firstNumber } = parts
  const createWindow = (): IdWindow =>
    createIdWindow({ maxItems: limits.idWindowItems, maxAgeMs: limits.idWindowMs, hash })
  const source = { store, event }
  const reader = createWindowReader({ source, limits, clock })
  const isKept = (signal: AbortSignal): Promise<boolean> => isInPast(source, head, signal)
  let window = createWindow()
  let head: Head | undefined
  /** The numbers below may have been given out in a store that this one has replaced. */
  let usedBelow = 1

  const record = (revision: Revision, batch: JournalBatch, own?: OwnItems): StoredItem[] => {
    head = headOf({ revision, batch }, head?.epoch)
    return addTo(window, { revision, batch }, strictIds, own)
  }
  const change = async (known: Head, current: KeyValue | undefined, signal: AbortSignal): Promise<Change> => {
    if (current === undefined) {
      if (!(await isKept(signal))) return { kind: 'replaced' }
      // The journal was deleted. Numbers go on, because listeners end at a jump backwards.
      head = { ...known, revision: 0n, batch: undefined, endsTurn: false }
      return { kind: 'advanced', commits: [], complete: false }
    }
    if (current.modRevision < known.revision) return { kind: 'replaced' }
    const newest = toCommit(source, current)
    const isLong = newest.batch.first_seq - known.nextSequence > LONG_GAP
    const found = await commitsSince(source, { known: known.revision, newest, signal }, async () => {
      const start = isLong ? await reader.start(newest, signal) : 0n
      return start > known.revision ? start : known.revision + 1n
    })
    if (found.skipsKnown && !(await isKept(signal))) return { kind: 'replaced' }
    const commits = found.commits.map(({ revision, batch }) => {
      const stored = record(revision, batch)
      return { revision, batch, stored }
    })
    return { kind: 'advanced', commits, complete: found.complete }
  }
  const open = async (signal: AbortSignal): Promise<Head> => {
    // The epoch first: if the store is replaced between the reads, the guard of the first transaction fails.
    const epoch = await readEpoch(store, { signal })
    const { commit: newest } = await readCommit(source, undefined, { signal })
    const start = { ...NO_COMMITS, epoch }
    const nextSequence = firstUnused(nextNumber(newest, epoch, firstNumber), usedBelow)
    if (newest === undefined) return (head = { ...start, nextSequence })
    const commits = await reader.commits(newest, signal)
    const filled = createWindow()
    for (const [index, commit] of commits.entries()) {
      addTo(filled, commit, strictIds)
      if (index % COMMITS_PER_TURN === 0) await nextTurn()
    }
    // Whoever waited has left, and may have begun again.
    if (signal.aborted) failUnavailable()
    window = filled
    return (head = { ...headOf(newest, epoch), nextSequence })
  }
  return {
    window: () => window,
    head: () => head,
    open: (signal) =>
      open(signal).catch((error: unknown) => {
        // The store was replaced between two reads.
        if (isAvisoError(error, 'ERR_FUTURE_POSITION')) failUnavailable()
        return failDamaged(source, error, signal)
      }),
    advance: (current, signal) =>
      change(head ?? NO_COMMITS, current, signal).catch((error: unknown) => {
        if (isAvisoError(error, 'ERR_FUTURE_POSITION')) return { kind: 'replaced' }
        return failDamaged(source, error, signal)
      }),
    isKept,
    record,
    forget: () => {
      usedBelow = Math.max(usedBelow, head?.nextSequence ?? 1)
      head = undefined
      window = createWindow()
    },
  }
}

function headOf({ revision, batch }: JournalCommit, epoch: Epoch | undefined): Head {
  const nextSequence = batch.first_seq + batch.events.length
  return {
    revision,
    nextSequence,
    atMs: Date.parse(batch.at),
    batch: batch.batch,
    epoch,
    endsTurn: batch.ends_turn === true,
  }
}

/** Adds a commit to a window. @returns its notifications, in order. */
function addTo(
  window: IdWindow,
  { revision, batch }: JournalCommit,
  strictIds: boolean,
  own?: OwnItems,
): StoredItem[] {
  const { at } = batch
  const atMs = Date.parse(at)
  return batch.events.map((entry, index) => {
    const stored: StoredItem = { key: entry.key, hash: entry.hash, revision, seq: entry.seq, at, atMs }
    const identity = own?.items[index]?.identity
    if (identity === undefined) window.add(identityOf(entry, strictIds), stored)
    else window.add(identity, stored, own?.names, index)
    return stored
  })
}

/** Whether the store has a commit in its past, or has compacted that past. */
async function isInPast(
  source: JournalSource,
  head: Head | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (head === undefined || head.revision === 0n) return true
  try {
    const { commit } = await readCommit(source, head.revision, { signal })
    return commit?.revision === head.revision && commit.batch.batch === head.batch
  } catch (error) {
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return true
    if (isAvisoError(error, 'ERR_FUTURE_POSITION')) return false
    // It is there, and damaged. Only a store that one process has open tells so, and no other one comes into its place.
    if (error instanceof KeyDamaged && error.revision === head.revision) return true
    throw error
  }
}
