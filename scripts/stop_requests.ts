/**
 * Handles the signals by which users and service managers ask a program to stop.
 *
 * @module
 */

/** Longest time in which npm forwards a signal, also on a busy machine. No user presses Ctrl-C twice so fast. */
const HANDED_ON_MS = 300

/** Set where the launcher of a release runs the program in a process of its own (`scripts/release/launcher.mjs`). */
const HANDS_ON = '_AVISO_HANDS_ON_SIGNALS'

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

/**
 * Waits for the first request to stop, after which the program ends by itself. A second request ends it at once, with exit code 1.
 *
 * @returns the signal of the first request
 */
export function stopRequest(
  process: SignalSource & { exit(code: number): unknown },
): Promise<NodeJS.Signals> {
  return new Promise((done) => {
    let isAsked = false
    const act = (signal: NodeJS.Signals): void => {
      if (isAsked) process.exit(1)
      isAsked = true
      done(signal)
    }
    const now = (): number => performance.now()
    onStopRequest(act, { source: process, signals: ['SIGINT', 'SIGTERM'], now })
  })
}
