/**
 * Times publishes at a steady rate while something else goes on.
 *
 * @module
 */

import { openConnection } from './http_load.ts'
import { createNotifications } from './notifications.ts'
import { toPercentiles, type Percentiles } from './statistics.ts'
import { PUBLISH_PATH } from './systems.ts'

const DEFAULT_RATE = 100

/** Publishes at a steady rate. A publish does not wait for the answer to the one before, so a slow answer does not lower the load. */
export async function publishUntil(
  url: string,
  end: Promise<unknown>,
  ratePerSecond = DEFAULT_RATE,
): Promise<Percentiles> {
  const notifications = createNotifications()
  const connections = await Promise.all(Array.from({ length: 32 }, () => openConnection(url + PUBLISH_PATH)))
  const latencies: number[] = []
  const open = new Set<Promise<void>>()
  let isEnded = false
  void end.finally(() => (isEnded = true)).catch(() => undefined)
  const startedAt = performance.now()
  for (let sent = 0; !isEnded; sent++) {
    const dueAt = startedAt + (sent * 1_000) / ratePerSecond
    const waitMs = dueAt - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    // Take the connection that was idle longest, because the server closes those that are idle for a minute.
    const connection = connections.shift()
    // When all connections wait for answers, this publish is skipped. The delay shows in the waiting ones.
    if (connection === undefined) continue
    const publish = connection.post(notifications.next()).then(({ status, body }) => {
      if (status !== 200) throw new Error(`The ingest answered ${status}: ${body.slice(0, 300)}`)
      latencies.push(performance.now() - dueAt)
      connections.push(connection)
    })
    open.add(publish)
    void publish.finally(() => open.delete(publish)).catch(() => undefined)
  }
  await Promise.all(open)
  for (const connection of connections) connection.close()
  return toPercentiles(latencies)
}
