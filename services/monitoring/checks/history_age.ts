/**
 * Finds how far back listeners can replay: the age of the oldest history that the store still has.
 *
 * @module
 */

import { oldestRevisionOf } from '#shared/errors.ts'
import { readCommit } from '#shared/journal/commits.ts'
import type { Store } from '#shared/store/store.ts'

/** The oldest revision of any store. */
const FIRST_REVISION = 1n
/** Further attempts when a compaction happens between two reads. */
const ATTEMPTS = 2

/**
 * Seconds since the commit before the oldest replayable notification of an event type; `undefined` when nothing was ever compacted,
 * because then everything can be replayed.
 *
 * @throws {AvisoError} What the store throws.
 */
export async function historySeconds(
  store: Store,
  event: string,
  { now, signal }: { readonly now: number; readonly signal: AbortSignal },
): Promise<number | undefined> {
  let revision = FIRST_REVISION
  for (let attempt = 0; attempt <= ATTEMPTS; attempt++) {
    try {
      const { commit } = await readCommit({ store, event }, revision, { signal })
      if (revision === FIRST_REVISION || commit === undefined) return undefined
      // The value at the oldest revision was written at or before it. So history reaches back at least to the commit after this one.
      return Math.max(0, (now - Date.parse(commit.batch.at)) / 1_000)
    } catch (error) {
      const oldest = oldestRevisionOf(error)
      if (oldest === undefined) throw error
      revision = oldest
    }
  }
  return undefined
}
