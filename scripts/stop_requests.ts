/**
 * Signals by which people and machines ask a program to stop.
 *
 * @module
 */

/** npm hands a signal on within milliseconds; a busy machine may take longer, and no hand presses Ctrl-C so fast. */
const HANDED_ON_MS = 300

/** What of a process is needed: `process` has it. */
export interface SignalSource {
  readonly env: Readonly<Record<string, string | undefined>>
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
}

/** What is listened to, and how. */
export interface StopRequestOptions {
  readonly source: SignalSource
  readonly signals: readonly NodeJS.Signals[]
  /** Monotonic time in milliseconds. */
  readonly now: () => number
}

/**
 * Calls `act` for each request to stop.
 *
 * Ctrl-C reaches every process of a terminal. Where npm runs the program, npm hands on the signal that the terminal has
 * sent already, so one press comes twice. It counts once: a second request often means not to wait.
 */
export function onStopRequest(
  act: (signal: NodeJS.Signals) => void,
  { source, signals, now }: StopRequestOptions,
): void {
  const isRunByNpm = source.env['npm_lifecycle_event'] !== undefined
  let last: NodeJS.Signals | undefined
  let lastAt = -Infinity
  // One handler for all: Deno calls a handler that is added while a signal is handled with that same signal.
  const onSignal = (signal: NodeJS.Signals): void => {
    const at = now()
    const isHandedOn = isRunByNpm && signal === last && at - lastAt < HANDED_ON_MS
    last = signal
    lastAt = at
    if (!isHandedOn) act(signal)
  }
  for (const signal of signals) source.on(signal, onSignal)
}

/**
 * The first request to stop, for a program that ends by itself then. A second request ends it at once, with exit code 1.
 *
 * @returns The signal.
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
