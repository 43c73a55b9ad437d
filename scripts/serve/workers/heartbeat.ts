/**
 * Notices a worker that hangs: its process is there, and its event loop does not turn.
 *
 * @module
 */

import type { LocalClient } from '#shared/runtime/local_client.ts'
import type { Clock } from '#shared/time/clock.ts'
import { requestTo } from './figures.ts'

/** Time between two signs of life. */
export const BEAT_MS = 1000
/**
 * A worker that misses so many in a row is replaced. On a busy machine, a collection of garbage or a large answer takes a second. The signs
 * are counted, and not the time, because a first worker that was held up itself finds many answers late, and one sign missing.
 */
export const MOST_MISSED = 8

/** What is needed to watch a worker. */
export interface HeartbeatParts {
  /** Asks the worker; rejects where it does not answer. */
  readonly ask: (signal: AbortSignal) => Promise<unknown>
  readonly clock: Clock
  /** Called once. */
  readonly onSilent: () => void
}

/** Asks for signs of life until the worker is silent. @returns what stops it */
export function watchHeartbeat({ ask, clock, onSilent }: HeartbeatParts): () => void {
  const end = new AbortController()
  let missed = 0
  let isAsked = false
  const stop = clock.every(BEAT_MS, () => {
    if (isAsked) return miss()
    isAsked = true
    void ask(end.signal)
      .then(
        () => (missed = 0),
        () => miss(),
      )
      .finally(() => (isAsked = false))
  })

  function miss(): void {
    missed++
    if (missed < MOST_MISSED || end.signal.aborted) return
    stopAll()
    onSilent()
  }

  function stopAll(): void {
    stop()
    end.abort()
  }

  return stopAll
}

/** Asks a worker for a sign of life over its socket. */
export async function askAlive(client: LocalClient, signal: AbortSignal): Promise<void> {
  const { status } = await client.send(requestTo('alive', signal))
  if (status !== 204) throw new TypeError('No sign of life')
}
