/**
 * Drains a hub before it closes: its streams end one after another, so that their listeners do not all come back at the same moment.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { DRAIN_NOTICE_SHARE, DRAIN_STEP_MS } from './limits.ts'

export interface DrainParts<Stream> {
  /** The streams to end, in any order. */
  readonly streams: readonly Stream[]
  /** Ends one of them. Does nothing to a stream that has ended. */
  readonly end: (stream: Stream) => void
  readonly clock: Clock
  /** Time until the last one has ended. */
  readonly ms: number
  /** Ends the drain early, and leaves the streams that are left alone. */
  readonly signal: AbortSignal
}

/**
 * Ends streams evenly over a time. In the first fifth of it none ends: probes of proxies first have to see that this service is being
 * stopped, or listeners would come back to it.
 *
 * @returns at the end of the time
 */
export async function drain<Stream>({ streams, end, clock, ms, signal }: DrainParts<Stream>): Promise<void> {
  const begin = clock.monotonic()
  const noticeMs = ms * DRAIN_NOTICE_SHARE
  let ended = 0
  for (;;) {
    const passed = clock.monotonic() - begin
    const share = passed >= ms ? 1 : Math.max(0, passed - noticeMs) / (ms - noticeMs)
    const due = Math.ceil(streams.length * share)
    for (const stream of streams.slice(ended, due)) end(stream)
    ended = due
    if (passed >= ms || signal.aborted) return
    await clock.sleep(Math.min(DRAIN_STEP_MS, ms - passed), signal)
    if (signal.aborted) return
  }
}
