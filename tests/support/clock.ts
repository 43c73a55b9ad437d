/**
 * The clocks of tests: one that stands still until it is moved, one that moves on when nothing else happens, one on which a sleep takes no
 * time, one that runs fast. Of each the date can be set while no time passes, as an operator sets a machine's clock.
 *
 * @module
 */

import { systemClock, type Clock } from '#shared/time/clock.ts'

/** A clock whose date can be set. */
export interface TestClock extends Clock {
  /** Sets the date forward or back. No time passes, and no timer falls due. */
  jump(ms: number): void
  /** Lets time pass for those who read the clock. No timer falls due. */
  pass(ms: number): void
  /** Milliseconds of every sleep so far. */
  readonly sleeps: readonly number[]
}

/** A clock that stands still. */
export interface ManualClock extends TestClock {
  /** Moves on. Timers that fall due run in order, and what each of them begins has its turn before the next. */
  advance(ms: number): Promise<void>
  /** Timers and sleeps that are under way. */
  readonly timers: number
  /** Milliseconds until the next of them falls due; `Infinity`: there is none. */
  readonly nextIn: number
  /** Those of them that fall due again and again. The others are limits on waiting, and sleeps. */
  readonly intervals: number
}

interface Timer {
  at: number
  readonly everyMs: number | undefined
  readonly task: () => void
}

const START = Date.UTC(2026, 5, 10, 12)
/** Far from any date, so that a date and a monotonic time that are mixed up make nonsense. */
const MONOTONIC_START_MS = 5_000
/** Turns of the event loop after which whatever a timer began has come to its end, or waits for something else. */
const SETTLING_TURNS = 3

/** A clock that stands still until {@link ManualClock.advance}. @param date Milliseconds since 1970. */
export function createManualClock(date = START): ManualClock {
  let elapsed = MONOTONIC_START_MS
  let epoch = date - elapsed
  const timers = new Set<Timer>()
  const sleeps: number[] = []

  function add(ms: number, everyMs: number | undefined, task: () => void): () => void {
    const timer: Timer = { at: elapsed + ms, everyMs, task }
    timers.add(timer)
    return () => timers.delete(timer)
  }
  const after = (ms: number, task: () => void): (() => void) => add(ms, undefined, task)

  function runNext(until: number): boolean {
    let next: Timer | undefined
    for (const timer of timers) if (timer.at <= until && timer.at < (next?.at ?? Infinity)) next = timer
    if (next === undefined) return false
    elapsed = Math.max(elapsed, next.at)
    if (next.everyMs === undefined) timers.delete(next)
    else next.at = elapsed + next.everyMs
    next.task()
    return true
  }
  return {
    now: () => epoch + elapsed,
    monotonic: () => elapsed,
    sleep: (ms, signal) => {
      sleeps.push(ms)
      return sleepBy(after, ms, signal)
    },
    sleeps,
    after,
    every: (ms, task) => add(ms, ms, task),
    jump: (ms) => {
      epoch += ms
    },
    pass: (ms) => {
      elapsed += ms
    },
    advance: async (ms) => {
      const until = elapsed + ms
      while (runNext(until)) await settle()
      // What ran may have let time pass by itself.
      elapsed = Math.max(elapsed, until)
      await settle()
    },
    get timers() {
      return timers.size
    },
    get nextIn() {
      return Math.min(Infinity, ...[...timers].map(({ at }) => at - elapsed))
    },
    get intervals() {
      return [...timers].filter(({ everyMs }) => everyMs !== undefined).length
    },
  }
}

/** A clock that starts now and runs `factor` times as fast as the real one. */
export function createScaledClock(factor = 1): TestClock {
  const start = systemClock.monotonic()
  let epoch = systemClock.now()
  let passed = 0
  const sleeps: number[] = []
  const elapsed = (): number => (systemClock.monotonic() - start) * factor + passed
  return {
    now: () => epoch + elapsed(),
    monotonic: elapsed,
    sleep: (ms, signal) => {
      sleeps.push(ms)
      return systemClock.sleep(ms / factor, signal)
    },
    sleeps,
    after: (ms, task) => systemClock.after(ms / factor, task),
    every: (ms, task) => systemClock.every(ms / factor, task),
    jump: (ms) => {
      epoch += ms
    },
    pass: (ms) => {
      passed += ms
    },
  }
}

/**
 * A manual clock on which a sleep takes no time: it moves the clock on and ends in the next turn. For work that rests between its steps.
 *
 * @param date Milliseconds since 1970.
 */
export function createSkippingClock(date = START): ManualClock {
  const clock = createManualClock(date)
  const sleeps: number[] = []
  return {
    ...clock,
    sleep: async (ms, signal) => {
      if (signal?.aborted === true) return
      sleeps.push(ms)
      clock.pass(ms)
      await turn()
    },
    sleeps,
    get timers() {
      return clock.timers
    },
    get nextIn() {
      return clock.nextIn
    },
  }
}

/** Turns of the event loop without a new timer after which nothing but time is waited for. */
const IDLE_TURNS = 25

/**
 * A manual clock that moves on by itself to its next timer, once everything waits for time alone. Timers that fall due again and again do
 * not move it. For work in one process that waits for no socket: there the machine's load decides nothing.
 *
 * @param date Milliseconds since 1970.
 */
export function createIdleClock(date = START): ManualClock {
  const clock = createManualClock(date)
  /** Those of which each falls due once, and their times. */
  const due = new Map<object, number>()
  let changes = 0
  let isWatching = false

  async function watch(): Promise<void> {
    isWatching = true
    while (due.size > 0) {
      const seen = changes
      for (let turns = 0; turns < IDLE_TURNS && changes === seen; turns++) await turn()
      if (changes !== seen) continue
      const next = Math.min(...due.values())
      await clock.advance(Math.max(0, next - clock.monotonic()))
    }
    isWatching = false
  }
  function after(ms: number, task: () => void): () => void {
    const timer = {}
    due.set(timer, clock.monotonic() + ms)
    changes++
    const cancel = clock.after(ms, () => {
      due.delete(timer)
      changes++
      task()
    })
    if (!isWatching) void watch()
    return () => {
      if (due.delete(timer)) changes++
      cancel()
    }
  }
  const sleeps: number[] = []
  return {
    ...clock,
    after,
    sleep: (ms, signal) => {
      sleeps.push(ms)
      return sleepBy(after, ms, signal)
    },
    sleeps,
    get timers() {
      return clock.timers
    },
    get nextIn() {
      return clock.nextIn
    },
    get intervals() {
      return clock.intervals
    },
  }
}

/**
 * Moves a clock on step by step, but not while something is under way that takes real time, such as a request over a socket. So the
 * machine's load decides nothing.
 *
 * @param isBusy Whether something is under way.
 * @returns a function that ends it.
 */
export function driveClock(clock: ManualClock, stepMs: number, isBusy: () => boolean): () => Promise<void> {
  let isEnded = false
  const driving = (async () => {
    while (!isEnded) {
      await settle()
      if (!isBusy()) await clock.advance(stepMs)
    }
  })()
  return async () => {
    isEnded = true
    await driving
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < SETTLING_TURNS; turns++) await turn()
}

function turn(): Promise<void> {
  return new Promise((next) => setImmediate(next))
}

function sleepBy(after: Clock['after'], ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const wake = (): void => {
      cancel()
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const cancel = after(ms, wake)
    signal?.addEventListener('abort', wake)
  })
}
