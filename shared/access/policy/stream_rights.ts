/**
 * Ends streams whose rights end: every open stream is checked again and again.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { LostRight } from '../access.ts'
import type { Count, CounterName } from '../identity/counters.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'

/** When streams are checked; milliseconds. */
export interface RecheckLimits {
  /** Between two checks of a stream. */
  readonly everyMs: number
  /** After a check that could not be made. */
  readonly retryMs: number
  /** Oldest verdict for a check. The streams of one user can share it, and it is too young to hide a revocation for long. */
  readonly maxAgeMs: number
  /** How long a stream goes on after its verdict has become too old, while no new one can be had. */
  readonly graceMs: number
  readonly tickMs: number
}

/**
 * A revocation is noticed within 65 s. While the servers answer, a stream may open on a verdict of 30 s ago and is checked 25 s later,
 * then every 25 s against a verdict of at most 5 s; a tick and an answer take 3 s. While they do not answer, a verdict lasts 30 s, and
 * the stream 28 s more.
 */
export const DEFAULT_RECHECK_LIMITS: RecheckLimits = {
  everyMs: 25_000,
  retryMs: 5000,
  maxAgeMs: 5000,
  graceMs: 28_000,
  tickMs: 1000,
}

/** How long a right stands. */
export interface Standing {
  /** When the credential ends, in milliseconds since 1970; absent: never. */
  readonly endsAt: number | undefined
  /** When the providers or the policy must be asked again, in monotonic time. */
  readonly validUntil: number
}

/** The right of one open stream. */
export interface HeldRight {
  readonly standing: Standing
  /**
   * Asks whether the right still stands.
   *
   * @throws {AvisoError} `ERR_UNAUTHENTICATED` or `ERR_FORBIDDEN` when the right is lost; any other error means that it is not known.
   */
  readonly check: (maxAgeMs: number) => Promise<Standing>
  /** Ends the stream. Called once at most. */
  readonly end: (reason: LostRight) => void
}

/** Watches over the rights of open streams. */
export interface StreamRights {
  /** @returns a function to call when the stream has ended. */
  hold(right: HeldRight): () => void
  /** Checks all streams at the next tick, because rules have changed. */
  checkAll(): void
  readonly size: number
  close(): void
}

interface Held {
  readonly right: HeldRight
  standing: Standing
  nextCheckAt: number
  isChecking: boolean
}

/** A watch over rights; it ticks only while there are any. */
export function createStreamRights({
  clock,
  logger,
  count,
  limits: given = {},
}: {
  readonly clock: Clock
  readonly logger: Logger
  readonly count: Count
  readonly limits?: Partial<RecheckLimits>
}): StreamRights {
  const limits = { ...DEFAULT_RECHECK_LIMITS, ...given }
  const held = new Set<Held>()
  let stopTicking: (() => void) | undefined

  function lose(entry: Held, reason: LostRight): void {
    if (!release(entry)) return
    count(COUNTERS[reason])
    try {
      entry.right.end(reason)
    } catch (error) {
      logger('error', 'A stream could not be ended', { cause: nameOf(error) })
    }
  }

  function release(entry: Held): boolean {
    const wasHeld = held.delete(entry)
    if (held.size === 0) {
      stopTicking?.()
      stopTicking = undefined
    }
    return wasHeld
  }

  async function check(entry: Held): Promise<void> {
    entry.isChecking = true
    const startedAt = clock.monotonic()
    try {
      entry.standing = await entry.right.check(limits.maxAgeMs)
      entry.nextCheckAt = startedAt + limits.everyMs
    } catch (error) {
      // The credential may have ended during the check.
      if (isAvisoError(error, 'ERR_UNAUTHENTICATED', 'ERR_FORBIDDEN'))
        lose(entry, hasEnded(entry) ? 'auth_expired' : 'auth_revoked')
      else {
        if (!isAvisoError(error)) logger('error', 'A stream could not be checked', { cause: nameOf(error) })
        entry.nextCheckAt = clock.monotonic() + limits.retryMs
      }
    } finally {
      entry.isChecking = false
    }
  }

  /** One tick early rather than one tick late. */
  function hasEnded({ standing: { endsAt = Infinity } }: Held): boolean {
    return clock.now() + limits.tickMs > endsAt
  }

  function tick(): void {
    const now = clock.monotonic()
    for (const entry of held) {
      if (hasEnded(entry)) lose(entry, 'auth_expired')
      else if (now >= entry.standing.validUntil + limits.graceMs) lose(entry, 'auth_unavailable')
      else if (now >= entry.nextCheckAt && !entry.isChecking) void check(entry)
    }
  }

  return {
    hold(right) {
      const nextCheckAt = clock.monotonic() + limits.everyMs
      const entry = { right, standing: right.standing, nextCheckAt, isChecking: false }
      stopTicking ??= clock.every(limits.tickMs, tick)
      held.add(entry)
      return () => {
        release(entry)
      }
    },
    checkAll() {
      for (const entry of held) entry.nextCheckAt = -Infinity
    },
    get size() {
      return held.size
    },
    close() {
      held.clear()
      stopTicking?.()
      stopTicking = undefined
    },
  }
}

const COUNTERS: Readonly<Record<LostRight, CounterName>> = {
  auth_expired: 'streams_expired',
  auth_revoked: 'streams_revoked',
  auth_unavailable: 'streams_unverifiable',
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown'
}
