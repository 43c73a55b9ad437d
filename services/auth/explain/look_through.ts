/**
 * Looks through a span of an event type's journal, within bounds, and gives every notification that it names.
 *
 * Flow: store → journal → **look through** → tallies
 *
 * @module
 */

import type { ReadCost } from '#shared/access/quota/read_cost.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { toCommit, type JournalCommit } from '#shared/journal/commits.ts'
import { journalKey } from '#shared/journal/journal.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { nextTurn } from '#shared/time/turn.ts'

/** Notifications of one request. A day of a large centre has 300,000. */
export const MOST_NOTIFICATIONS = 400_000
/** Time of one request. */
const MOST_MS = 5_000
/** Notifications that are looked at without a break: about a millisecond. */
const NOTIFICATIONS_PER_TURN = 500

export interface Span {
  readonly store: Store
  readonly event: string
  readonly from: Revision
  /** A revision at which the journal was written, so that its event surely comes. */
  readonly through: Revision
  /** The last time, in milliseconds since 1970. */
  readonly until: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** What was looked at. */
export interface Looked {
  /** Whether it was all of the span. */
  readonly isComplete: boolean
  readonly cost: ReadCost
}

/** @param visit Called for each commit, oldest first. @throws {AvisoError} The store's error. */
export async function lookThrough(span: Span, visit: (commit: JournalCommit) => void): Promise<Looked> {
  const { store, event, from, through, until, clock } = span
  const stop = new AbortController()
  const signal = AbortSignal.any([span.signal, stop.signal])
  const endsAt = clock.monotonic() + MOST_MS
  const cost = { reads: 1, keys: 0, bytes: 0 }
  let notifications = 0
  let inTurn = 0
  try {
    for await (const message of store.watch({ key: toBytes(journalKey(event)), from, signal })) {
      if (message.kind === 'created') continue
      for (const { kind, kv } of message.kind === 'revision' ? message.events : []) {
        if (kind !== 'put') continue
        const commit = toCommit({ event }, kv)
        cost.keys++
        cost.bytes += kv.value.length
        if (Date.parse(commit.batch.at) > until) return { isComplete: true, cost }
        visit(commit)
        notifications += commit.batch.events.length
        inTurn += commit.batch.events.length
      }
      if (message.revision >= through) return { isComplete: true, cost }
      if (notifications >= MOST_NOTIFICATIONS || clock.monotonic() >= endsAt) break
      if (inTurn < NOTIFICATIONS_PER_TURN) continue
      inTurn = 0
      await nextTurn()
    }
    return { isComplete: false, cost }
  } finally {
    stop.abort()
  }
}
