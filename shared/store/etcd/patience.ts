/**
 * Waits for an answer that may take long, as long as the member shows that it works.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import type { Exchange } from './transport.ts'

/** What a wait is limited by. */
export type Limits = Pick<Exchange, 'limitMs' | 'patience'>

/** @returns the value, or `undefined` when the time is up. @throws What `pending` throws. */
export async function awaitAnswer<Value>(
  pending: PromiseLike<Value>,
  clock: Clock,
  limits: Limits,
): Promise<Value | undefined> {
  const { limitMs: ms } = limits
  const startedAt = clock.monotonic()
  for (;;) {
    let isLate = false
    const value = await within(pending, { clock, ms, late: () => void (isLate = true) })
    if (!isLate) return value as Value
    if (!(await goesOn(limits, clock.monotonic() - startedAt))) return undefined
  }
}

/** Whether to wait for the limit once more. @param waitedMs Since the question was sent. */
export async function goesOn({ limitMs, patience }: Limits, waitedMs: number): Promise<boolean> {
  if (patience === undefined || waitedMs + limitMs > patience.longestMs) return false
  return patience.isWorking()
}
