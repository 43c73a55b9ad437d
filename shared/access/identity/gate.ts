/**
 * How many questions one server is asked at a time: a restart that makes thousands of listeners return must not bring it down.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { VERDICT_LIMIT_MS, verdictUnavailable } from './unavailable.ts'

/** Bounds of a gate. */
export interface GateLimits {
  readonly concurrent: number
  readonly waiting: number
}

/** Anchors: what one such server answers within a second, and what it could answer before everybody has given up. */
export const DEFAULT_GATE_LIMITS: GateLimits = { concurrent: 32, waiting: 1000 }

/** Runs tasks, a bounded number at a time, in the order they came. */
export interface Gate {
  /** @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` where too many wait, or the task's turn comes after its client has been answered. */
  run<Result>(task: () => Promise<Result>): Promise<Result>
}

/** A new gate. */
export function createGate(clock: Clock, limits: GateLimits = DEFAULT_GATE_LIMITS): Gate {
  const waiting: { readonly since: number; readonly enter: () => void; readonly giveUp: () => void }[] = []
  let running = 0

  function next(): void {
    const first = waiting.shift()
    if (first === undefined) return
    if (clock.now() - first.since < VERDICT_LIMIT_MS) return first.enter()
    first.giveUp()
    next()
  }

  async function turn(): Promise<void> {
    if (running < limits.concurrent) {
      running++
      return
    }
    if (waiting.length >= limits.waiting) throw verdictUnavailable('too many questions wait')
    await new Promise<void>((resolve, reject) => {
      waiting.push({
        since: clock.now(),
        enter: () => {
          running++
          resolve()
        },
        giveUp: () => reject(verdictUnavailable('the question waited too long')),
      })
    })
  }

  return {
    async run(task) {
      await turn()
      try {
        return await task()
      } finally {
        running--
        next()
      }
    },
  }
}
