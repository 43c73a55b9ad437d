/**
 * Finds the revision of a date or a sequence number. The journal's value at an old revision has both, so a binary search over revisions
 * finds the place with about log2(revisions) point reads, without an index.
 *
 * @module
 */

import type { CallOptions, Revision, Store } from '#shared/store/store.ts'
import { lastSequence, readCommit } from './commits.ts'
import { readJournal, shareJournal, type JournalReads, type Outline, type PastRead } from './outlines.ts'

/** A place in the history of an event type. */
export type JournalPosition =
  /** `revision` is the first commit that qualifies, `index` the place in the revision of the first notification that does. */
  | { readonly kind: 'found'; readonly revision: Revision; readonly index: number }
  /** No stored notification qualifies: `revision` is the next revision to come. */
  | { readonly kind: 'future'; readonly revision: Revision }
  /** The first commit that may qualify is damaged: `revision`. `behind` is the first one that surely does; absent: there is none. */
  | { readonly kind: 'damaged'; readonly revision: Revision; readonly behind: Revision | undefined }
  /** Commits that qualify, or might, are compacted. `revision` is the oldest that can be read, and every commit from there on qualifies. */
  | { readonly kind: 'compacted'; readonly revision: Revision }

/** The place of a number. */
export type NumberPosition =
  | JournalPosition
  /**
   * This store has never given out the number before the one asked for: the client saw another store, or what this one has lost.
   * `revision` is the first commit with a greater number; absent: there is none.
   */
  | { readonly kind: 'unknown'; readonly revision: Revision | undefined }

/**
 * The first notification committed at or after a time.
 *
 * @param at Milliseconds since 1970.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that is not a journal, and the store's errors, except for compaction.
 */
export function revisionOfDate(
  store: Store,
  event: string,
  at: number,
  options?: CallOptions,
): Promise<JournalPosition> {
  return findDate(readJournal({ store, event }, options), at)
}

/** The notification with a sequence number (from 1). Throws as {@link revisionOfDate}. */
export function revisionOfSequence(
  store: Store,
  event: string,
  sequence: bigint,
  options?: CallOptions,
): Promise<NumberPosition> {
  return findSequence(readJournal({ store, event }, options), sequence)
}

/**
 * Number of the last notification stored at or before a revision; 0n without one.
 *
 * @throws {AvisoError} `ERR_HISTORY_COMPACTED`, `ERR_FUTURE_POSITION`, and as {@link revisionOfDate}.
 */
export async function sequenceAt(
  store: Store,
  event: string,
  revision: Revision,
  options?: CallOptions,
): Promise<bigint> {
  const { commit } = await readCommit({ store, event }, revision, options)
  return commit === undefined ? 0n : BigInt(lastSequence(commit))
}

/** Searches that share their reads, so that many listeners cost about as much as one. */
export interface SharedPositions {
  /** As {@link revisionOfDate}, but a shared result `found` may have been compacted meanwhile. Reading there then fails. */
  ofDate(event: string, at: number): Promise<JournalPosition>
  /** As {@link revisionOfSequence}, see {@link SharedPositions.ofDate}. */
  ofSequence(event: string, sequence: bigint): Promise<NumberPosition>
}

/**
 * Shares searches in the journals of a store.
 *
 * @param lastElsewhere The last number of an event type that another server gave out, before this one. Default: none did.
 * @param epoch The store's epoch; reads of another epoch are forgotten. If it throws, the searches throw its error.
 */
export function sharePositions(
  store: Store,
  epoch: () => string,
  lastElsewhere: (event: string) => bigint = () => 0n,
): SharedPositions {
  let journals = new Map<string, JournalReads>()
  let of: string | undefined
  const readsOf = (event: string): JournalReads => {
    const current = epoch()
    if (of !== current) journals = new Map()
    of = current
    const reads = journals.get(event) ?? shareJournal({ store, event })
    journals.set(event, reads)
    return reads
  }
  return {
    ofDate: async (event, at) => findDate(readsOf(event), at),
    ofSequence: async (event, sequence) => findSequence(readsOf(event), sequence, lastElsewhere(event)),
  }
}

async function findDate(reads: JournalReads, date: number): Promise<JournalPosition> {
  const found = await search(reads, ({ at, place }) =>
    at >= date ? { index: place, isFirst: false } : undefined,
  )
  return found.position
}

async function findSequence(
  reads: JournalReads,
  sequence: bigint,
  lastElsewhere = 0n,
): Promise<NumberPosition> {
  const { position, outline } = await search(reads, ({ first, last, place }) => {
    if (BigInt(last) < sequence) return undefined
    const index = Number(sequence) - first
    return { index: place + Math.max(0, index), isFirst: index >= 0 }
  })
  switch (position.kind) {
    case 'future':
      // Without a commit, the number after those of the other server is the next one. The numbers before it are not here.
      if (outline === undefined)
        return lastElsewhere === sequence - 1n ? position : { kind: 'unknown', revision: undefined }
      return BigInt(outline.last) < sequence - 1n ? { kind: 'unknown', revision: undefined } : position
    case 'found': {
      const before = outline === undefined ? undefined : await lastBefore(reads, outline, sequence)
      return before !== undefined && before < sequence - 1n
        ? { kind: 'unknown', revision: position.revision }
        : position
    }
    case 'damaged':
    case 'compacted':
      return position
  }
}

/** The last number before a commit, 0n before the first. `undefined` where the number asked for is in the commit, or history is gone. */
async function lastBefore(
  reads: JournalReads,
  { first, previous }: Outline,
  sequence: bigint,
): Promise<bigint | undefined> {
  if (BigInt(first) <= sequence) return undefined
  // The first commit of a store that was wiped has a number far above 1.
  if (previous === 0n) return 0n
  const read = await reads.at(previous)
  return read.kind === 'read' && read.outline !== undefined ? BigInt(read.outline.last) : undefined
}

/** Finds the first qualifying notification in a commit. If one commit has any, every later commit has. */
type Test = (outline: Outline) => Qualifying | undefined

interface Qualifying {
  /** Place in the revision of the first notification that qualifies. */
  readonly index: number
  /** Whether it is certain, without a read, that no earlier commit has one. */
  readonly isFirst: boolean
}

/** The result of a search. */
interface Found {
  readonly position: JournalPosition
  /** The commit that was found; without one, the newest. */
  readonly outline: Outline | undefined
}

/**
 * Searches for the first commit that qualifies. Where damaged commits stand between one that does not and one that does, the first of them
 * is taken for it: whoever reads from there meets the damage, and is told.
 */
async function search(reads: JournalReads, test: Test): Promise<Found> {
  const known = reads.known((outline) => test(outline) !== undefined)
  /** A commit that qualifies. */
  let { found } = known
  /** No readable commit at or before this revision qualifies. */
  let { passed } = known
  /** Nothing can be read at or before this revision. */
  let { lost } = known
  /** The first of the damaged commits that `passed` ends with. */
  let suspect: Revision | undefined
  if (found === undefined) {
    const newest = await findNewest(reads, test)
    if (newest.kind === 'ended') return newest.result
    found = newest.found
  }
  while (found.previous > passed && test(found)?.isFirst !== true) {
    const low = lost > passed ? lost : passed
    // The value at the oldest readable revision may have been written before it.
    const high: Revision = found.previous
    const at: Revision = high > low ? (low + high + 1n) / 2n : found.revision - 1n
    if (at <= lost) break
    const { read, damagedFrom } = await readBehind(reads, at)
    if (read.kind === 'lost') {
      lost = read.lost
      // What qualifies first may be lost, or damaged.
      if (damagedFrom !== undefined) break
    } else if (read.outline !== undefined && test(read.outline) !== undefined) found = read.outline
    else {
      passed = at
      suspect = damagedFrom
    }
  }
  if (found.revision > lost) {
    const own = await reads.at(found.revision)
    if (own.kind === 'lost') lost = own.lost
  }
  const qualifying = test(found)
  const isFirst = qualifying?.isFirst === true || found.previous <= passed
  if (found.revision <= lost || !isFirst)
    return { position: { kind: 'compacted', revision: lost + 1n }, outline: found }
  if (suspect !== undefined && qualifying?.isFirst !== true) return suspected(suspect, found)
  const { revision } = found
  return { position: { kind: 'found', revision, index: qualifying?.index ?? 0 }, outline: found }
}

/** The newest commit that can be read, where it qualifies; otherwise the result of the search. */
async function findNewest(
  reads: JournalReads,
  test: Test,
): Promise<
  { readonly kind: 'qualifies'; readonly found: Outline } | { readonly kind: 'ended'; readonly result: Found }
> {
  const newest = await reads.newest()
  if (newest.kind === 'read') {
    const { outline, head } = newest
    if (outline !== undefined && test(outline) !== undefined) return { kind: 'qualifies', found: outline }
    return { kind: 'ended', result: { position: { kind: 'future', revision: head + 1n }, outline } }
  }
  const { read, damagedFrom = newest.revision } = await readBehind(reads, newest.revision)
  const outline = read.kind === 'read' ? read.outline : undefined
  if (outline !== undefined && test(outline) !== undefined) return { kind: 'qualifies', found: outline }
  return { kind: 'ended', result: suspected(damagedFrom, undefined) }
}

/** The newest commit at a revision that is not damaged. */
async function readBehind(
  reads: JournalReads,
  revision: Revision,
): Promise<{
  readonly read: Exclude<PastRead, { kind: 'damaged' }>
  /** The first of the damaged commits between it and the revision; absent: there is none. */
  readonly damagedFrom: Revision | undefined
}> {
  let at = revision
  let damagedFrom: Revision | undefined
  for (;;) {
    const read = await reads.at(at)
    if (read.kind !== 'damaged') return { read, damagedFrom }
    damagedFrom = read.revision
    at = damagedFrom - 1n
  }
}

function suspected(revision: Revision, outline: Outline | undefined): Found {
  return { position: { kind: 'damaged', revision, behind: outline?.revision }, outline }
}
