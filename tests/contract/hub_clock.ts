/**
 * A clock that stands still until a test moves it.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'

/** A clock in the hands of a test. */
export interface ManualClock extends Clock {
  /** Moves time, in steps of at most a second, and runs what falls due. */
  advance(ms: number): Promise<void>
}

interface Timer {
  at: number
  readonly everyMs: number | undefined
  readonly task: () => void
}

const STEP_MS = 1_000

/** A clock that begins at some round time. */
export function createManualClock(): ManualClock {
  let now = 1_800_000_000_000
  const timers = new Set<Timer>()
  const add = (ms: number, everyMs: number | undefined, task: () => void): (() => void) => {
    const timer: Timer = { at: now + ms, everyMs, task }
    timers.add(timer)
    return () => timers.delete(timer)
  }
  const fire = (): void => {
    for (const timer of timers) {
      if (timer.at > now) continue
      if (timer.everyMs === undefined) timers.delete(timer)
      else timer.at += timer.everyMs
      timer.task()
    }
  }
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve()
        const cancel = add(ms, undefined, resolve)
        signal?.addEventListener('abort', () => {
          cancel()
          resolve()
        })
      }),
    every: (ms, task) => add(ms, ms, task),
    advance: async (ms) => {
      for (let left = ms; left > 0; left -= STEP_MS) {
        now += Math.min(left, STEP_MS)
        fire()
        // What the timers have begun goes on in later turns.
        for (let turn = 0; turn < 3; turn++) await new Promise((next) => setTimeout(next, 0))
      }
    },
  }
}
