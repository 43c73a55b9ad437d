/**
 * Handles the signals by which users and service managers ask a program to stop.
 *
 * @module
 */

import { systemClock, type Clock } from '#shared/time/clock.ts'

/** Longest time in which npm forwards a signal, also on a busy machine. No user presses Ctrl-C twice so fast. */
const HANDED_ON_MS = 300

/** Set where the launcher of a release runs the program in a process of its own (`scripts/release/launcher.mjs`). */
const HANDS_ON = '_AVISO_HANDS_ON_SIGNALS'

/**
 * How often a program that npm runs looks whether npm is still there. npm hands on SIGINT and SIGTERM; SIGHUP ends it, and so does a
 * terminal that is closed.
 */
const NPM_CHECK_MS = 1000

/** Why a program stops. */
export type StopReason = NodeJS.Signals | 'npm has ended'

/** The part of `process` that is needed. */
export interface SignalSource {
  readonly env: Readonly<Record<string, string | undefined>>
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
}

/** The signals to handle, and their source. */
export interface StopRequestOptions {
  readonly source: SignalSource
  readonly signals: readonly NodeJS.Signals[]
  /** Monotonic time in milliseconds. */
  readonly now: () => number
}

/**
 * Calls `act` for each request to stop.
 *
 * Ctrl-C reaches every process of a terminal. When npm or the launcher of a release runs the program, that also forwards the signal, so
 * one press arrives twice. It counts once, because a second request often means not to wait.
 */
export function onStopRequest(
  act: (signal: NodeJS.Signals) => void,
  { source, signals, now }: StopRequestOptions,
): void {
  const isHandedOnTwice =
    source.env['npm_lifecycle_event'] !== undefined || source.env[HANDS_ON] !== undefined
  let last: NodeJS.Signals | undefined
  let lastAt = -Infinity
  // One handler serves all requests, because Deno calls a handler that is added during a signal with that same signal.
  const onSignal = (signal: NodeJS.Signals): void => {
    const at = now()
    const isHandedOn = isHandedOnTwice && signal === last && at - lastAt < HANDED_ON_MS
    last = signal
    lastAt = at
    if (!isHandedOn) act(signal)
  }
  for (const signal of signals) source.on(signal, onSignal)
}

/** What is needed of `process` to end with it. */
export interface StoppedProcess extends SignalSource {
  readonly ppid: number
  exit(code: number): unknown
  /** Throws where there is no such process. */
  kill(pid: number, signal: 0): unknown
}

/**
 * Waits for the first request to stop, after which the program ends by itself. A second request ends it at once, with exit code 1. The end
 * of the npm that runs it is a request too: nobody could stop it by what they started.
 *
 * @param every Calls a function again and again, until the returned function is called.
 * @returns the signal of the first request
 */
export function stopRequest(
  process: StoppedProcess,
  every: Clock['every'] = systemClock.every,
): Promise<StopReason> {
  return new Promise((done) => {
    let isAsked = false
    const act = (signal: StopReason): void => {
      if (isAsked) process.exit(1)
      isAsked = true
      done(signal)
    }
    const now = (): number => performance.now()
    onStopRequest(act, { source: process, signals: ['SIGINT', 'SIGTERM'], now })
    if (process.env['npm_lifecycle_event'] !== undefined) onEndOf(process, every, () => act('npm has ended'))
  })
}

/** Calls `act` once the process that started this one is gone. */
function onEndOf(process: StoppedProcess, every: Clock['every'], act: () => void): void {
  const { ppid } = process
  const stop = every(NPM_CHECK_MS, () => {
    try {
      process.kill(ppid, 0)
    } catch {
      stop()
      act()
    }
  })
}
