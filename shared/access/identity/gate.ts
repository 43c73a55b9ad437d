/**
 * Bounds how many questions one server is asked at a time. When thousands of listeners return after a restart, they must not bring the
 * server down.
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

/** As many as one such server answers within a second, and as many as it could answer before all clients have given up. */
export const DEFAULT_GATE_LIMITS: GateLimits = { concurrent: 32, waiting: 1000 }

/** Runs tasks in the order they came, a bounded number at a time. */
export interface Gate {
  /** @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when too many tasks wait, or the task's turn comes after its client was answered. */
  run<Result>(task: () => Promise<Result>): Promise<Result>
}

/** A new gate. */
export function createGate(clock: Clock, limits: GateLimits = DEFAULT_GATE_LIMITS): Gate {
  const waiting: { readonly since: number; readonly enter: () => void; readonly giveUp: () => void }[] = []
  let running = 0

  function next(): void {
    const first = waiting.shift()
    if (first === undefined) return
    if (clock.monotonic() - first.since < VERDICT_LIMIT_MS) return first.enter()
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
        since: clock.monotonic(),
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
