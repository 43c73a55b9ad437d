/**
 * Goes back through the journal of an event type, from commit to commit.
 *
 * Each commit names the revision of the one before, so a walk could read one after another. A store with a network in between would make that
 * slow. So a walk guesses where the next commits are and reads them together: the journal at any revision is the newest commit up to it, and
 * a wrong guess costs a read and nothing else.
 *
 * @module
 */

import { previousRevision } from '#shared/journal/commits.ts'
import type { Revision } from '#shared/store/store.ts'
import { nextTurn } from '#shared/time/turn.ts'
import type { HistoryCommit, HistoryReads } from './reads.ts'

/** Most reads at once. A hundred singles are two rounds. More would hold up other requests to an embedded store. */
const MOST_AT_ONCE = 64
/** Commits that are at most this far apart are guessed at once. */
const CLOSE: Revision = 4n

/** What ended a walk: the first commit of all, or history that is no longer kept. */
export type WalkEnd = 'first' | 'lost'

/**
 * Yields a commit and those before it, the newest first.
 *
 * @param wanted How many notifications the caller still wants. It bounds the first guess.
 * @throws {AvisoError} The store's error, except for compaction.
 */
export async function* walkBack(
  reads: HistoryReads,
  from: HistoryCommit,
  wanted: number,
): AsyncGenerator<HistoryCommit, WalkEnd> {
  let current = from
  let round = firstRound(from, wanted)
  let known = new Map<Revision, HistoryCommit>()
  for (;;) {
    yield current
    const previous = previousRevision(current)
    if (previous === 0n) return 'first'
    let next = known.get(previous)
    if (next === undefined) {
      round = nextRound(round)
      // The store may answer without giving up its turn.
      await nextTurn()
      const read = await readRound(reads, previous, round)
      if (read === undefined) return 'lost'
      known = read.known
      next = read.first
    }
    round.used++
    round.least = smaller(round.least, current.revision - next.revision)
    current = next
  }
}

/** Reads that are made together. */
interface Round {
  readonly size: number
  /** Distance between the revisions that are read. */
  readonly stride: Revision
  /** How many commits of it were gone through. */
  used: number
  /** Least distance between them. */
  least: Revision | undefined
}

function firstRound(from: HistoryCommit, wanted: number): Round {
  const apart = from.revision - previousRevision(from)
  const commits = Math.ceil(wanted / Math.max(1, from.batch.events.length))
  const isGuessed = apart <= CLOSE
  // Half of it counts as used, so that the next round has its size.
  const size = isGuessed ? commits * Number(apart) : 1
  return { size, stride: 1n, used: Math.ceil(size / 2), least: isGuessed ? 1n : apart }
}

/** A round grows where most guesses were right, and shrinks where they were not. */
function nextRound({ size, stride, used, least }: Round): Round {
  const next = used * 2 > size ? size * 2 : used * 2
  return {
    size: Math.min(MOST_AT_ONCE, Math.max(1, next)),
    stride: least ?? stride,
    used: 0,
    least: undefined,
  }
}

/** @returns `undefined` where the revision is no longer kept. */
async function readRound(
  reads: HistoryReads,
  previous: Revision,
  { size, stride }: Round,
): Promise<{ readonly first: HistoryCommit; readonly known: Map<Revision, HistoryCommit> } | undefined> {
  const guesses = Array.from({ length: size }, (_, step) => previous - stride * BigInt(step))
  const read = await Promise.all(guesses.filter((guess) => guess > 0n).map((guess) => reads.atKept(guess)))
  const commits = read.filter((commit) => commit !== 'lost' && commit !== undefined)
  const [first] = read
  if (first === undefined || first === 'lost') return undefined
  return { first, known: new Map(commits.map((commit) => [commit.revision, commit])) }
}

function smaller(one: Revision | undefined, other: Revision): Revision {
  return one === undefined || other < one ? other : one
}
