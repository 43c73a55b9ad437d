/**
 * A clock that stands still until a test moves it.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'

/** A {@link Clock} in a test's hand. */
export interface ManualClock extends Clock {
  /** Moves on; timers that fall due run in order, and promises get their turn between them. */
  advance(ms: number): Promise<void>
  /** Timers and sleeps that are under way. */
  readonly timers: number
}

interface Timer {
  at: number
  readonly everyMs: number | undefined
  readonly task: () => void
}

/** @param start Milliseconds since 1970. */
export function createManualClock(start = Date.UTC(2026, 5, 10, 12)): ManualClock {
  let now = start
  const timers = new Set<Timer>()
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve()
        const timer: Timer = { at: now + ms, everyMs: undefined, task: resolve }
        timers.add(timer)
        signal?.addEventListener('abort', () => {
          timers.delete(timer)
          resolve()
        })
      }),
    every: (ms, task) => {
      const timer: Timer = { at: now + ms, everyMs: ms, task }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async advance(ms) {
      const end = now + ms
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
        if (due === undefined) break
        now = Math.max(now, due.at)
        if (due.everyMs === undefined) timers.delete(due)
        else due.at += due.everyMs
        due.task()
        await settle()
      }
      now = end
      await settle()
    },
    get timers() {
      return timers.size
    },
  }
}
