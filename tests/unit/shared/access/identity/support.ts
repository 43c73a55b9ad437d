/**
 * What the tests of identity and policy share: a clock that can be set back, counters that are read, and a `fetch` that answers by table.
 *
 * @module
 */

import { createCounters, type Counters } from '#shared/access/identity/counters.ts'
import { parseCredential, type Credential } from '#shared/access/identity/credential.ts'
import type { DependencyParts, FetchGet } from '#shared/access/identity/dependency.ts'
import { createLogger, type Logger } from '#shared/logger.ts'
import { systemClock, type Clock } from '#shared/time/clock.ts'

/** A clock that stands still until a test moves it. */
export interface TestClock extends Clock {
  /** Moves time from one due timer to the next, and lets what each has begun go on. */
  advance(ms: number): Promise<void>
  /** Changes what the clock shows, as somebody who sets it does; nothing falls due by it. */
  jump(ms: number): void
}

interface Timer {
  at: number
  readonly everyMs: number | undefined
  readonly task: () => void
}

const MICROTASK_TURNS = 40

export function createTestClock(): TestClock {
  let elapsed = 0
  let shownAtStart = 1_800_000_000_000
  const timers = new Set<Timer>()

  function add(ms: number, everyMs: number | undefined, task: () => void): () => void {
    const timer: Timer = { at: elapsed + ms, everyMs, task }
    timers.add(timer)
    return () => timers.delete(timer)
  }

  async function fireNext(until: number): Promise<boolean> {
    let next: Timer | undefined
    for (const timer of timers) if (timer.at <= until && timer.at < (next?.at ?? Infinity)) next = timer
    if (next === undefined) return false
    elapsed = Math.max(elapsed, next.at)
    if (next.everyMs === undefined) timers.delete(next)
    else next.at += next.everyMs
    next.task()
    // Longer than any chain of promises behind a timer; a turn of the event loop would cost a hundred times as much.
    for (let turn = 0; turn < MICROTASK_TURNS; turn++) await Promise.resolve()
    return true
  }

  return {
    now: () => shownAtStart + elapsed,
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
    async advance(ms) {
      const until = elapsed + ms
      while (await fireNext(until));
      elapsed = until
      await settle()
    },
    jump: (ms) => {
      shownAtStart += ms
    },
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((next) => setTimeout(next, 0))
}

/** A logger whose lines a test reads. */
export function createTestLog(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  return {
    lines,
    logger: createLogger(
      (line) => lines.push(line),
      () => Date.now(),
      'debug',
    ),
  }
}

/** Parts of a dependency over real sockets, on the real clock. */
export function realParts(): DependencyParts & { readonly counters: Counters; readonly lines: string[] } {
  const { logger, lines } = createTestLog()
  const counters = createCounters()
  return { fetch: realFetch, clock: systemClock, logger, count: counters.count, counters, lines }
}

export const realFetch: FetchGet = (url, init) => fetch(url, init)

/** A credential as a client would send it. */
export function credentialOf(authorization: string, authType: string | null = null): Credential {
  const presented = parseCredential(authorization, authType)
  if (presented.kind !== 'presented') throw new Error(`not a credential: ${presented.message}`)
  return presented.credential
}

/** A promise and its ends. */
export function deferred<Value>(): PromiseWithResolvers<Value> {
  return Promise.withResolvers<Value>()
}
