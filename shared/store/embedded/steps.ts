/**
 * Work that may be long, in steps of a few milliseconds: all at once where nothing may come in between, or with a turn for others after
 * each step.
 *
 * @module
 */

import { nextTurn } from '#shared/time/turn.ts'

/** Yields after each step. */
export type Steps<Result> = Generator<undefined, Result, undefined>

/** Does all the work now, as a transaction must. */
export function doNow<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/**
 * Does the work with a turn of the event loop after each step.
 *
 * @param run Runs each step.
 * @param pause Waits between two steps.
 */
export async function doInTurns<Result>(
  steps: Steps<Result>,
  run: <Value>(step: () => Value) => Value,
  pause: () => Promise<void> = nextTurn,
): Promise<Result> {
  for (;;) {
    const { done, value } = run(() => steps.next())
    if (done === true) return value
    await pause()
  }
}
