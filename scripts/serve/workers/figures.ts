/**
 * Asks workers for what they have measured, and keeps the counters of those that have ended: a sum must not fall because a worker was
 * replaced.
 *
 * @module
 */

import { toResponse, type HandlerRequest } from '#shared/handler.ts'
import type { MetricFamily } from '#shared/observe/metrics/registry.ts'
import { countersOf, sumFamilies } from '#shared/observe/metrics/sum.ts'
import type { LocalClient } from '#shared/runtime/local_client.ts'
import type { Clock } from '#shared/time/clock.ts'
import { DOOR, type Door, type Figures } from './doors.ts'

/** A worker that does not answer by then counts as none. Prometheus and probes wait longer. */
const LIMIT_MS = 1000

/** The figures of one worker. */
export interface WorkerFigures extends Figures {
  readonly worker: number
}

/** Asks workers, each for itself. @returns the figures of those that answer in time */
export async function askFigures(
  workers: readonly (readonly [number: number, client: LocalClient])[],
  clock: Clock,
): Promise<readonly WorkerFigures[]> {
  const answers = await Promise.all(
    workers.map(async ([worker, client]) => {
      const limit = new AbortController()
      const stop = clock.after(LIMIT_MS, () => limit.abort())
      try {
        return [{ worker, ...(await ask(client, limit.signal)) }]
      } catch {
        return []
      } finally {
        stop()
      }
    }),
  )
  return answers.flat()
}

async function ask(client: LocalClient, signal: AbortSignal): Promise<Figures> {
  const answer = toResponse(await client.send(requestTo('figures', signal)))
  if (!answer.ok) throw new TypeError('No figures')
  return (await answer.json()) as Figures
}

/** A request of a worker itself. */
export function requestTo(
  door: Door,
  signal: AbortSignal,
  more: Readonly<Record<string, string>> = {},
): HandlerRequest {
  const headers = new Headers({ host: 'localhost', [DOOR]: door, ...more })
  return {
    method: 'GET',
    url: 'http://localhost/',
    headers,
    signal,
    body: null,
    arrayBuffer: () => Promise.resolve(new ArrayBuffer(0)),
  }
}

/** Remembers what workers told last. */
export interface Ledger {
  /** What they tell now, and the counters of those that have ended. */
  families(told: readonly WorkerFigures[]): readonly (readonly MetricFamily[])[]
  /** A worker has ended. What it counted after it was asked last is lost. */
  ended(worker: number): void
}

export function createLedger(): Ledger {
  const last = new Map<number, readonly MetricFamily[]>()
  let gone: readonly MetricFamily[] = []
  return {
    families: (told) => {
      for (const { worker, families } of told) last.set(worker, families)
      // One that did not answer in time has not counted less.
      return [...last.values(), gone]
    },
    ended: (worker) => {
      gone = sumFamilies([gone, countersOf(last.get(worker) ?? [])])
      last.delete(worker)
    },
  }
}
