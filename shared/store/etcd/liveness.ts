/**
 * Distinguishes a quiet watch from a dead one. A stopped machine, a stopped process and a lost route all look like silence.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'

/** How often silence is checked. */
const TICK_MS = 500
/** After this much silence the member must show that it is alive, by a read that needs a quorum: twice a progress interval of 1 s. */
const PROBE_AFTER_MS = 2_000
/**
 * After this much silence the connection is replaced although the member is alive, for it may have been lost on the way: firewalls and
 * address translators forget idle connections, and etcd by default says something only every ten minutes.
 */
const QUIET_MS = 30_000
/** If the member reports progress, this many silent intervals are enough. etcd itself skips every other one. */
const QUIET_INTERVALS = 4
/** The shortest silence that counts, whatever the interval. */
const MIN_QUIET_MS = 5_000

/** Actions that silence triggers. */
export interface LivenessParts {
  readonly clock: Clock
  /** When the member last answered, in monotonic time. */
  readonly aliveAt: () => number
  /** Asks the member. Resolves to an error where it does not answer. */
  readonly probe: () => Promise<Error | undefined>
  /** The member does not answer. */
  readonly onDead: (error: Error) => void
  /** The connection has been silent for too long. */
  readonly onQuiet: () => void
}

/** Watches over one connection. */
export interface Liveness {
  /** The reader waits for bytes. Only now does a timer run, because before this call the reader itself was slow. */
  waiting(): void
  /** Bytes came. */
  heard(): void
  /** A progress message came: the member tells progress. */
  progressed(): void
  stop(): void
}

/** Begins to watch over a connection. */
export function watchOver({ clock, aliveAt, probe, onDead, onQuiet }: LivenessParts): Liveness {
  /** Since when bytes are waited for. */
  let waitingSince: number | undefined
  let heardAt = clock.monotonic()
  let progressAt: number | undefined
  let quietMs = QUIET_MS
  let probing = false
  let stopTimer: (() => void) | undefined

  const tick = (): void => {
    if (waitingSince === undefined) return
    const now = clock.monotonic()
    const silentMs = now - waitingSince
    if (silentMs >= quietMs) return onQuiet()
    if (silentMs < PROBE_AFTER_MS || now - aliveAt() < PROBE_AFTER_MS || probing) return
    probing = true
    void probe().then((error) => {
      probing = false
      // Whatever came meanwhile proves more than the probe.
      if (error !== undefined && waitingSince !== undefined && waitingSince <= now) onDead(error)
    })
  }
  const stop = (): void => {
    waitingSince = undefined
    stopTimer?.()
    stopTimer = undefined
  }
  return {
    waiting: () => {
      waitingSince ??= clock.monotonic()
      stopTimer ??= clock.every(TICK_MS, tick)
    },
    heard: () => {
      heardAt = clock.monotonic()
      stop()
    },
    progressed: () => {
      if (progressAt !== undefined) {
        quietMs = Math.min(QUIET_MS, Math.max(MIN_QUIET_MS, QUIET_INTERVALS * (heardAt - progressAt)))
      }
      progressAt = heardAt
    },
    stop,
  }
}
