/**
 * The servers that notifications are sent through: the system, or the plain server that it is compared with.
 *
 * @module
 */

import { runBurst } from './http_load.ts'
import { LIVE_PATH, openListeners } from './listeners.ts'
import { createNotifications, location, numberedNotification, NUMBERED_LOCATION } from './notifications.ts'
import type { BenchProcess, BenchRuntime } from './processes.ts'
import {
  PUBLISH_PATH,
  postOnce,
  startAviso,
  startBareFanOut,
  withProcess,
  type BareOptions,
} from './systems.ts'

/** A running server that takes notifications and delivers them to listeners. */
export interface Target {
  readonly process: BenchProcess
  /** Address to post to. */
  readonly publishUrl: string
  /** Path to post to. */
  readonly publishPath: string
  /** The body of one notification. */
  one(payload?: string): string
  /** The body of several notifications. */
  many(size: number, payload?: string): string
  /** The body of a notification that the generator numbers, new for each load. */
  numbered(): string
}

/** Starts a target. */
export type StartTarget = () => Promise<Target>

const BURST_CONNECTIONS = 4
/** Longest wait for a delivery. */
const SETTLE_LIMIT_MS = 60_000

/** The system on a runtime, all services in one process. */
export function avisoTarget(runtime: BenchRuntime, store?: string): StartTarget {
  return async () => {
    const process = await startAviso({ runtime, ...(store !== undefined && { store }) })
    const notifications = createNotifications()
    return {
      process,
      publishUrl: process.url + PUBLISH_PATH,
      publishPath: PUBLISH_PATH,
      one: notifications.next,
      many: notifications.batch,
      numbered: numberedNotification,
    }
  }
}

/** A plain server. Its frames have the size of ours. */
export function bareTarget(options: BareOptions = {}): StartTarget {
  return async () => {
    const process = await startBareFanOut(options)
    let count = 0
    const many = (size: number, payload?: string): string =>
      JSON.stringify(Array.from({ length: size }, () => payload ?? location(count++)))
    const payload = NUMBERED_LOCATION.replaceAll('@', '#')
    return {
      process,
      publishUrl: process.url,
      publishPath: '/',
      one: (given) => many(1, given),
      many,
      numbered: () => many(1, payload),
    }
  }
}

/** Bytes that the plain server must add to a frame to make it as large on the wire as ours. */
export async function calibratePadding(): Promise<number> {
  const [ours, bare] = [await wireBytes(avisoTarget('node')), await wireBytes(bareTarget())]
  return Math.max(0, Math.round(ours - bare))
}

/** Bytes that one delivery takes on the wire. */
async function wireBytes(start: StartTarget): Promise<number> {
  const target = await start()
  return withProcess(Promise.resolve(target.process), async ({ url }) => {
    const listeners = await openListeners({ url, path: () => LIVE_PATH, count: 1 })
    const before = listeners.bytes
    await postOnce(target.publishUrl, target.one(location(0)))
    await listeners.settled(1, SETTLE_LIMIT_MS)
    const bytes = listeners.bytes - before
    listeners.close()
    return bytes
  })
}

/** Publishes in batches as fast as possible. Batches of large payloads must be smaller, so that they fit into one request. */
export function publishBurst(
  target: Pick<Target, 'publishUrl' | 'many'>,
  notifications: number,
  { payload, batch = 100 }: { readonly payload?: string; readonly batch?: number } = {},
): Promise<void> {
  return runBurst({
    url: target.publishUrl,
    body: () => target.many(batch, payload),
    connections: BURST_CONNECTIONS,
    requests: notifications / batch,
  })
}
