/**
 * How far back listeners can replay: the age of the oldest history that the store still has.
 *
 * @module
 */

import { oldestRevisionOf } from '#shared/errors.ts'
import { readCommit } from '#shared/journal/commits.ts'
import type { Store } from '#shared/store/store.ts'

/** No store has an older one. */
const FIRST_REVISION = 1n
/** A compaction may come in between. */
const ATTEMPTS = 2

/**
 * Seconds since the oldest replayable notification of an event type, at most; `undefined` where nothing was ever compacted, for then
 * everything can be replayed.
 *
 * @throws {AvisoError} Whatever the store throws.
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
      // The value at the oldest revision was written there or before: history reaches back at least to this commit's successor.
      return Math.max(0, (now - Date.parse(commit.batch.at)) / 1_000)
    } catch (error) {
      const oldest = oldestRevisionOf(error)
      if (oldest === undefined) throw error
      revision = oldest
    }
  }
  return undefined
}
