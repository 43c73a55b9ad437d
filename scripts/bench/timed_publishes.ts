/**
 * Times publishes at a steady rate while something else goes on.
 *
 * @module
 */

import { runPosts, type PostLoad } from './generator.ts'
import { numberedNotification } from './notifications.ts'
import type { Percentiles } from './statistics.ts'
import { PUBLISH_PATH } from './systems.ts'

const DEFAULT_RATE = 100
/** More than answers are waited for, as long as they come within a tenth of a second. */
const CONNECTIONS = 32

/** Publishes at a steady rate. */
export function pacedPublishes(ratePerSecond = DEFAULT_RATE): PostLoad {
  return { path: PUBLISH_PATH, body: numberedNotification(), connections: CONNECTIONS, ratePerSecond }
}

/**
 * Publishes at a steady rate.
 *
 * @param until Milliseconds, or what ends it.
 */
export async function publishUntil(
  url: string,
  until: number | Promise<unknown>,
  ratePerSecond?: number,
): Promise<Percentiles> {
  const [result] = await runPosts(url, until, [pacedPublishes(ratePerSecond)])
  if (result === undefined) throw new Error('No figures of the publishes')
  return result.latencyMs
}
