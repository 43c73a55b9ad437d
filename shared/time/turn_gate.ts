/**
 * Spreads small tasks that arrive together over several turns of the event loop.
 *
 * @module
 */

import { onNextTurn } from './turn.ts'

/** Resolves when the caller may go on; `undefined`: at once. */
export type TurnGate = () => Promise<void> | undefined

/**
 * Lets a number of callers pass in each turn of the event loop, in the order of their calls. What needs several turns and waits for none of
 * them, such as a publish, then waits for that many small tasks per turn, and not for all that arrived.
 *
 * @param perTurn How many pass in one turn, at least 1. The waiting ones are as many as there are open requests.
 */
export function createTurnGate(perTurn: number): TurnGate {
  const waiting: (() => void)[] = []
  let passed = 0
  const nextTurn = (): void => {
    const passing = waiting.splice(0, perTurn)
    passed = passing.length
    if (passed > 0) onNextTurn(nextTurn)
    for (const pass of passing) pass()
  }
  return () => {
    if (passed >= perTurn) return new Promise((pass) => waiting.push(pass))
    if (passed++ === 0) onNextTurn(nextTurn)
    return undefined
  }
}
