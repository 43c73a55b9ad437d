/**
 * Remembers what searches in a journal have read. The past does not change, so listeners that come together share their reads. A search
 * begins between the nearest known commits on either side, so it repeats no read of an earlier search.
 *
 * @module
 */

import { HistoryCompacted, KeyDamaged } from '#shared/errors.ts'
import { firstIndex } from '#shared/search.ts'
import type { CallOptions, Revision, Store } from '#shared/store/store.ts'
import { lastSequence, previousRevision, readCommit, type JournalCommit } from './commits.ts'

/** The part of a commit that searches need. */
export interface Outline {
  readonly revision: Revision
  /** Revision of the commit before, 0n for the first. */
  readonly previous: Revision
  /** Milliseconds since 1970. */
  readonly at: number
  /** Numbers of its first and last notification. */
  readonly first: number
  readonly last: number
  /** Place of its first notification in the revision. */
  readonly place: number
}

/** The result of a read at a revision. */
export type PastRead =
  /** Without `outline`, there was no commit yet at that revision. */
  | { readonly kind: 'read'; readonly outline: Outline | undefined }
  /** Nothing can be read at or before `lost`. */
  | { readonly kind: 'lost'; readonly lost: Revision }
  /** The newest commit at that revision is damaged. `revision` is its own. */
  | Damaged

/** A commit that cannot be read. */
export interface Damaged {
  readonly kind: 'damaged'
  readonly revision: Revision
}

/** The newest commit. */
export type NewestRead =
  | { readonly kind: 'read'; readonly outline: Outline | undefined; readonly head: Revision }
  | Damaged

/** Reads of one journal. */
export interface JournalReads {
  /** The newest commit, read after this call began, and the store's revision. */
  newest(): Promise<NewestRead>
  /** The newest commit at a revision of the past. */
  at(revision: Revision): Promise<PastRead>
  /**
   * What is known without a read.
   *
   * @param qualifies Whether a commit qualifies. If one does, every later one must.
   * @returns the first known commit that qualifies; a revision up to which no commit does; a revision up to which nothing can be read.
   */
  known(qualifies: (outline: Outline) => boolean): {
    readonly found: Outline | undefined
    readonly passed: Revision
    readonly lost: Revision
  }
}

/** An outline, and the first and the last revision at which it was read. */
interface Kept {
  readonly outline: Outline
  from: Revision
  through: Revision
}

/**
 * Most outlines kept for each journal, of some 200 bytes each. They serve about a hundred searches that share no read. With more, all are
 * dropped, and the next search costs as much as a first one.
 */
export const MAX_OUTLINES = 2_048

/** Reads without memory. */
export function readJournal(
  source: { readonly store: Store; readonly event: string },
  options?: CallOptions,
): JournalReads {
  return {
    newest: async () => {
      try {
        const { commit, head } = await readCommit(source, undefined, options)
        return { kind: 'read', outline: commit && toOutline(commit), head }
      } catch (error) {
        return toDamaged(error)
      }
    },
    at: async (revision) => {
      try {
        const { commit } = await readCommit(source, revision, options)
        return { kind: 'read', outline: commit && toOutline(commit) }
      } catch (error) {
        if (!(error instanceof HistoryCompacted)) return toDamaged(error)
        const { oldest } = error
        return { kind: 'lost', lost: oldest === undefined || oldest <= revision ? revision : oldest - 1n }
      }
    },
    known: () => ({ found: undefined, passed: 0n, lost: 0n }),
  }
}

/** @throws the error where it is another one. */
function toDamaged(error: unknown): Damaged {
  if (!(error instanceof KeyDamaged)) throw error
  return { kind: 'damaged', revision: error.revision }
}

/** Reads that all callers share. No caller can abort them, because others may wait. They are valid for one epoch of the store. */
export function shareJournal(source: { readonly store: Store; readonly event: string }): JournalReads {
  const reads = readJournal(source)
  const running = new Map<Revision, Promise<PastRead>>()
  /** Ascending. */
  let kept: Kept[] = []
  let lost: Revision = 0n

  function keep(outline: Outline, at: Revision): void {
    const place = firstIndex(kept, (other) => other.outline.revision >= outline.revision)
    const there = kept[place]
    if (there?.outline.revision === outline.revision) {
      if (at < there.from) there.from = at
      if (at > there.through) there.through = at
      return
    }
    if (kept.length >= MAX_OUTLINES) kept = []
    kept.splice(kept.length === 0 ? 0 : place, 0, { outline, from: at, through: at })
  }

  async function readAt(revision: Revision): Promise<PastRead> {
    const read = await reads.at(revision)
    if (read.kind === 'lost') lost = read.lost > lost ? read.lost : lost
    else if (read.kind === 'read' && read.outline !== undefined) keep(read.outline, revision)
    return read
  }

  const newest = shareNext(async () => {
    const read = await reads.newest()
    if (read.kind === 'read' && read.outline !== undefined) keep(read.outline, read.head)
    return read
  })
  return {
    newest,
    at: async (revision) => {
      if (revision <= lost) return { kind: 'lost', lost }
      const place = firstIndex(kept, ({ outline }) => outline.revision > revision) - 1
      const before = kept[place]
      if (before !== undefined && before.from <= revision && revision <= before.through)
        return { kind: 'read', outline: before.outline }
      const read = running.get(revision) ?? readAt(revision).finally(() => running.delete(revision))
      running.set(revision, read)
      return read
    },
    known: (qualifies) => {
      const place = firstIndex(kept, ({ outline }) => qualifies(outline))
      return { found: kept[place]?.outline, passed: kept[place - 1]?.through ?? 0n, lost }
    },
  }
}

/** Calls that come during a read share the next read, so that no call gets a result from before it began. */
function shareNext<Value>(read: () => Promise<Value>): () => Promise<Value> {
  let running: Promise<Value> | undefined
  let next: Promise<Value> | undefined
  const start = (): Promise<Value> => {
    const started = read().finally(() => {
      if (running === started) running = undefined
    })
    running = started
    return started
  }
  const begin = (): Promise<Value> => {
    next = undefined
    return start()
  }
  return () => {
    if (running === undefined) return start()
    next ??= running.then(begin, begin)
    return next
  }
}

function toOutline(commit: JournalCommit): Outline {
  const { revision, batch } = commit
  return {
    revision,
    previous: previousRevision(commit),
    at: Date.parse(batch.at),
    first: batch.first_seq,
    last: lastSequence(commit),
    place: batch.place ?? 0,
  }
}
