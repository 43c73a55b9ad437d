/**
 * Reads the journal of an event type: its present value, its value at an old revision, and everything since a known commit.
 *
 * Flow: store → **journal** → ingest
 *
 * @module
 */

import { AvisoError, isAvisoError, oldestRevisionOf } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { nextTurn } from '#shared/time/turn.ts'
import type { CallOptions, KeyValue, Revision, Store } from '#shared/store/store.ts'
import { parseJournal } from './codec.ts'
import { journalKey, type JournalBatch } from './journal.ts'

/** One committed transaction. */
export interface JournalCommit {
  readonly revision: Revision
  readonly batch: JournalBatch
}

/** The journal of one event type. */
export interface JournalSource {
  readonly store: Store
  readonly event: string
}

/** @throws {AvisoError} `ERR_STORE_PROTOCOL` for a value that is not a journal. */
export function toCommit({ event }: { readonly event: string }, kv: KeyValue): JournalCommit {
  return { revision: kv.modRevision, batch: parseJournal(kv.value, journalKey(event)) }
}

/** Revision of the commit before this one, 0n for the first. */
export function previousRevision({ batch }: JournalCommit): Revision {
  return BigInt(batch.prev)
}

/** Number of the last notification of a commit. */
export function lastSequence({ batch }: JournalCommit): number {
  return batch.first_seq + batch.events.length - 1
}

/** The newest commit at a revision (absent: now), with the store's revision. @throws {AvisoError} The store's error. */
export async function readCommit(
  source: JournalSource,
  revision?: Revision,
  options?: CallOptions,
): Promise<{ readonly commit: JournalCommit | undefined; readonly head: Revision }> {
  const key = toBytes(journalKey(source.event))
  const result = await source.store.range(revision === undefined ? { key } : { key, revision }, options)
  const [kv] = result.kvs
  return { commit: kv === undefined ? undefined : toCommit(source, kv), head: result.revision }
}

/** The result of {@link commitsSince}. */
export interface CommitsSince {
  /** Oldest first. */
  readonly commits: readonly JournalCommit[]
  /** Whether no commit is missing between the known commit and the first of these. */
  readonly complete: boolean
  /** Whether the known commit is not among the predecessors of these: the journal was deleted since, or the store went back. */
  readonly skipsKnown: boolean
}

/**
 * Most commits fetched one by one. A longer gap is streamed, because with a round trip per commit a far ingest never catches up. A shorter
 * one is not, because etcd takes up to 100 ms to begin a watch of the past.
 */
const MAX_POINT_READS = 8

/**
 * All commits after the one at `known` (0n: from the start) up to `newest`, `newest` included.
 *
 * @param from Where to start streaming if the gap is long; later than `known + 1` means that older commits are not wanted.
 * @throws {AvisoError} The store's error, except for compaction. Compacted commits are left out, and `complete` is then false.
 */
export async function commitsSince(
  source: JournalSource,
  { known, newest, signal }: { known: Revision; newest: JournalCommit; signal: AbortSignal },
  from: () => Promise<Revision> = async () => known + 1n,
): Promise<CommitsSince> {
  const commits = [newest]
  let through = previousRevision(newest)
  try {
    while (through > known && commits.length <= MAX_POINT_READS) {
      const { commit } = await readCommit(source, through, { signal })
      if (commit === undefined) return { commits, complete: false, skipsKnown: false }
      commits.unshift(commit)
      through = previousRevision(commit)
    }
  } catch (error) {
    if (isAvisoError(error, 'ERR_HISTORY_COMPACTED')) return { commits, complete: false, skipsKnown: false }
    throw error
  }
  if (through <= known) return joined(commits, known)
  const start = await from()
  if (start > through) return { commits, complete: false, skipsKnown: false }
  const streamed = await streamFromOldest(source, { from: start, through, signal })
  const all = [...streamed.commits, ...commits]
  if (streamed.complete && start === known + 1n) return joined(all, known)
  return { commits: all, complete: false, skipsKnown: false }
}

/** All commits after the known one, as far as the first of them names it as its predecessor. */
function joined(commits: readonly JournalCommit[], known: Revision): CommitsSince {
  const [first] = commits
  const skipsKnown = first !== undefined && previousRevision(first) < known
  return { commits, complete: !skipsKnown, skipsKnown }
}

interface Span {
  readonly from: Revision
  /** A revision at which the journal was written, so that its event surely comes. */
  readonly through: Revision
  readonly signal: AbortSignal
}

/** Streams a span, or the part of it that compaction has left. */
async function streamFromOldest(
  source: JournalSource,
  span: Span,
): Promise<Pick<CommitsSince, 'commits' | 'complete'>> {
  try {
    return { commits: await stream(source, span), complete: true }
  } catch (error) {
    const oldest = oldestRevisionOf(error)
    if (oldest === undefined || oldest <= span.from) throw error
    const commits = oldest > span.through ? [] : await stream(source, { ...span, from: oldest })
    return { commits, complete: false }
  }
}

/** Commits that are decoded without a break: up to 2,000 notifications, some milliseconds. */
const COMMITS_PER_TURN = 16

async function stream(source: JournalSource, { from, through, signal }: Span): Promise<JournalCommit[]> {
  const commits: JournalCommit[] = []
  const key = toBytes(journalKey(source.event))
  for await (const message of source.store.watch({ key, from, signal })) {
    switch (message.kind) {
      case 'created':
        continue
      case 'revision':
        for (const { kind, kv } of message.events) {
          if (kind === 'put' && kv.modRevision <= through) commits.push(toCommit(source, kv))
        }
        // Messages that are there already come without a break.
        if (commits.length % COMMITS_PER_TURN === 0) await nextTurn()
        break
      case 'progress':
        break
    }
    if (message.revision >= through) return commits
  }
  throw new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    'The journal could not be read: the watch of the store ended; try again in a moment',
  )
}
