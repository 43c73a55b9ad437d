/**
 * The sweep: one timer that ends old and stalled streams, and sends heartbeats to idle ones.
 *
 * @module
 */

import { onNextTurn } from '#shared/time/turn.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Delivery } from './delivery.ts'
import { SWEEP_MS, SWEEP_SLICE } from './limits.ts'
import type { Stream } from './stream.ts'

export interface SweepParts {
  readonly streams: ReadonlySet<Stream>
  readonly delivery: Delivery
  readonly clock: Clock
  /** Longest time that a stream may be left unread. */
  readonly stallMs: number
  /** Called at the beginning of each round. */
  readonly onRound: () => void
}

/** Starts the timer. @returns a function that stops the sweep. */
export function startSweep({ streams, delivery, clock, stallMs, onRound }: SweepParts): () => void {
  let round: Iterator<Stream> | undefined
  let isStopped = false

  const stopTimer = clock.every(SWEEP_MS, () => {
    onRound()
    if (round !== undefined) return
    round = streams.values()
    sweepSlice()
  })

  /** Checks some streams at a time, because thousands of heartbeats at once would delay live notifications. */
  function sweepSlice(): void {
    if (isStopped || round === undefined) return
    delivery.flush()
    const now = clock.monotonic()
    for (let count = 0; count < SWEEP_SLICE; count++) {
      const { done, value } = round.next()
      if (done === true) {
        round = undefined
        return
      }
      look(value, now)
    }
    onNextTurn(sweepSlice)
  }

  function look(stream: Stream, now: number): void {
    if (now >= stream.endsAt) return delivery.end(stream, { reason: stream.ageReason })
    if (!stream.isWanted) {
      stream.parkedAt = Math.min(stream.parkedAt, now)
      if (now - stream.parkedAt >= stallMs) delivery.end(stream, { reason: 'slow_consumer' })
      return
    }
    if (now - stream.writtenAt >= stream.heartbeatMs) delivery.beat(stream)
  }

  return () => {
    isStopped = true
    stopTimer()
  }
}
