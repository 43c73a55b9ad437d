/**
 * From a date or a sequence number to a revision: the journal's value at an old revision tells both, so a binary search over revisions finds
 * the place with about log2(revisions) point reads and no index to keep.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { CallOptions, Revision, Store } from '#shared/store/store.ts'
import { lastSequence, oldestRevision, previousRevision, readCommit, type JournalCommit } from './commits.ts'

/** Where something is in the history of an event type. */
export type JournalPosition =
  /** `revision` is the first commit that qualifies, `index` the first notification of it that does. */
  | { readonly kind: 'found'; readonly revision: Revision; readonly index: number }
  /** Nothing stored qualifies: `revision` is the first one that is still to come. */
  | { readonly kind: 'future'; readonly revision: Revision }
  /** Commits that qualify, or might, are compacted away: `revision` is the oldest one that can be read, and everything readable qualifies. */
  | { readonly kind: 'compacted'; readonly revision: Revision }

/**
 * The first notification committed at or after a time.
 *
 * @param at Milliseconds since 1970.
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` for a foreign journal, and whatever the store throws, except for compaction.
 */
export function revisionOfDate(
  store: Store,
  event: string,
  at: number,
  options?: CallOptions,
): Promise<JournalPosition> {
  return search({ store, event, options }, ({ batch }) =>
    Date.parse(batch.at) >= at ? { index: 0, isFirst: false } : undefined,
  )
}

/** The notification with a sequence number (from 1). Throws as {@link revisionOfDate}. */
export function revisionOfSequence(
  store: Store,
  event: string,
  sequence: bigint,
  options?: CallOptions,
): Promise<JournalPosition> {
  return search({ store, event, options }, (commit) => {
    if (BigInt(lastSequence(commit)) < sequence) return undefined
    const index = Number(sequence) - commit.batch.first_seq
    return { index: Math.max(0, index), isFirst: index >= 0 }
  })
}

/**
 * Number of the last notification stored at or before a revision; 0n where there was none.
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

interface Journal {
  readonly store: Store
  readonly event: string
  readonly options: CallOptions | undefined
}

/** What qualifies in a commit; once a commit has something, every later commit has. */
type Test = (commit: JournalCommit) => Qualifying | undefined

interface Qualifying {
  /** Of the first notification that qualifies. */
  readonly index: number
  /** Whether it is certain, without looking, that nothing in an earlier commit does. */
  readonly isFirst: boolean
}

async function search(journal: Journal, test: Test): Promise<JournalPosition> {
  const { commit, head } = await readCommit(journal, undefined, journal.options)
  if (commit === undefined || test(commit) === undefined) return { kind: 'future', revision: head + 1n }
  /** Qualifies. */
  let found = commit
  /** No commit at or before it qualifies. */
  let passed: Revision = 0n
  /** Nothing can be read at or before it. */
  let lost: Revision = 0n
  while (previousRevision(found) > passed && test(found)?.isFirst !== true) {
    const low = lost > passed ? lost : passed
    const high = previousRevision(found)
    // What was written before the oldest readable revision may still be the value there.
    const at = high > low ? (low + high + 1n) / 2n : found.revision - 1n
    if (at <= lost) break
    const read = await readAt(journal, at)
    if (read.kind === 'lost') lost = read.lost
    else if (read.commit !== undefined && test(read.commit) !== undefined) found = read.commit
    else passed = at
  }
  if (found.revision > lost) {
    const own = await readAt(journal, found.revision)
    if (own.kind === 'lost') lost = own.lost
  }
  const qualifying = test(found)
  const isFirst = qualifying?.isFirst === true || previousRevision(found) <= passed
  if (found.revision <= lost || !isFirst) return { kind: 'compacted', revision: lost + 1n }
  return { kind: 'found', revision: found.revision, index: qualifying?.index ?? 0 }
}

type Read =
  | { readonly kind: 'read'; readonly commit: JournalCommit | undefined }
  /** Nothing can be read at or before this revision. */
  | { readonly kind: 'lost'; readonly lost: Revision }

async function readAt(journal: Journal, revision: Revision): Promise<Read> {
  try {
    const { commit } = await readCommit(journal, revision, journal.options)
    return { kind: 'read', commit }
  } catch (error) {
    if (!isAvisoError(error, 'ERR_HISTORY_COMPACTED')) throw error
    const oldest = oldestRevision(error)
    return { kind: 'lost', lost: oldest === undefined || oldest <= revision ? revision : oldest - 1n }
  }
}
