/**
 * Asks services for places and numbers of a history that is lost.
 *
 * @module
 */

import type { Door } from '../door.ts'
import type { StoreView } from '../store_view.ts'
import { fieldsOf, type LivingListener } from './life_listener.ts'
import type { Probe } from './life_records.ts'

const ANSWER_MS = 10_000

/** Asks every service for the place that every listener had, and for numbers that were given out and lost. */
export async function probe(
  doors: readonly Door[],
  listeners: readonly LivingListener[],
  [before, after]: readonly [StoreView, StoreView],
  isWhole = true,
): Promise<readonly Probe[]> {
  const questions = [
    ...listeners.map((listener) => {
      const query = new URLSearchParams({ ...fieldsOf(listener.plan), from: listener.oldCursor() ?? '' })
      return { listener: listener.plan.name, query: `${query}` }
    }),
    ...listeners.flatMap(({ plan }) => {
      // A number says nothing where a part of history is missing in the middle: those behind it are as good as before.
      const number = isWhole && numberBehindLost(plan.event, before, after)
      if (typeof number !== 'bigint') return []
      const query = new URLSearchParams({ ...fieldsOf(plan), from_id: `${number}` })
      return [{ listener: plan.name, query: `${query}` }]
    }),
  ]
  return Promise.all(
    doors.flatMap((door) => questions.map(async (one) => ({ ...one, status: await ask(door, one.query) }))),
  )
}

/** What a listener asks for that has seen the last number of an event type that is lost. */
function numberBehindLost(event: string, before: StoreView, after: StoreView): bigint | undefined {
  const kept = new Set(after.notifications.flatMap((one) => (one.event === event ? [one.sequence] : [])))
  const lost = before.notifications.findLast((one) => one.event === event && !kept.has(one.sequence))
  return lost === undefined ? undefined : lost.sequence + 1n
}

/** @returns the status of the answer, whose stream is left. */
async function ask(door: Door, query: string): Promise<number> {
  const leave = new AbortController()
  const late = setTimeout(() => leave.abort(), ANSWER_MS)
  try {
    const response = await door(`/api/v1/watch?${query}`, { signal: leave.signal })
    return response.status
  } finally {
    clearTimeout(late)
    leave.abort()
  }
}
