/**
 * Polls as pyaviso sends them. Run as a worker, it polls until its time is over, so that it does not delay what else is timed.
 *
 * @module
 */

import { isMainThread, workerData } from 'node:worker_threads'
import { prefixRange } from '#shared/bytes/bytes.ts'
import { runLoad, type Answer } from './http_load.ts'
import { OLD_KEYS } from './old_keys.ts'

/** What a worker does. */
export interface PollLoad {
  readonly url: string
  /** Revision after which the first poll asks. */
  readonly head: number
  readonly connections: number
  readonly durationMs: number
}

/** Polls; clients go on from what they have seen. Otherwise each poll would fetch everything again. @returns polls a second */
export async function runPolls({ head: first, ...load }: PollLoad): Promise<number> {
  let head = first
  const accept = ({ status, body }: Answer): boolean => {
    head = revisionIn(body)
    return status === 200
  }
  return (await runLoad({ ...load, body: () => pollBody(head + 1), accept })).perSecond
}

/** @param from Lowest revision that is asked for. */
export function pollBody(from: number): string {
  const { key, end } = prefixRange(OLD_KEYS)
  // As pyaviso sends it.
  return JSON.stringify({
    key: Buffer.from(key).toString('base64'),
    range_end: Buffer.from(end).toString('base64'),
    limit: 10_000,
    sort_order: 'DESCEND',
    sort_target: 'KEY',
    keys_only: false,
    revision: null,
    min_mod_revision: from,
    max_mod_revision: null,
  })
}

/** The revision of the store in an answer. */
export function revisionIn(answer: string): number {
  return Number(/"revision":"(\d+)"/.exec(answer)?.[1] ?? 0)
}

if (!isMainThread) await runPolls(workerData as PollLoad)
