/**
 * Time and timers as an argument, so that tests can control them.
 *
 * @module
 */

/** A source of time. */
export interface Clock {
  /**
   * The date, in milliseconds since 1970. It is for dates that are stored, logged or compared with dates from outside. It jumps when the
   * machine's clock is set, so do not measure with it.
   */
  now(): number
  /**
   * Milliseconds since some moment, with a fraction. It never goes back. It is for durations, ages and deadlines within this process; its
   * numbers mean nothing outside. On workerd it stands still between two events.
   */
  monotonic(): number
  /** Resolves after `ms`; at once, without error, when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `task` once after `ms`, unless the returned function is called before. */
  after(ms: number, task: () => void): () => void
  /** Calls `task` every `ms` until the returned function is called. */
  every(ms: number, task: () => void): () => void
}

/** The runtime's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const finish = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', finish)
        resolve()
      }
      const timer = setTimeout(finish, ms)
      signal?.addEventListener('abort', finish)
    }),
  after: (ms, task) => {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
  every: (ms, task) => {
    const timer = setInterval(task, ms)
    return () => clearInterval(timer)
  },
}
