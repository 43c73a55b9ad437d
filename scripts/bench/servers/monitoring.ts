/**
 * A stand-in for a monitoring that is well, down, slow or hostile on request.
 *
 * @module
 */

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How the stand-in handles telemetry. */
export type Mood =
  | 'well'
  /** Every connection is reset. */
  | 'down'
  /** No request is ever answered. */
  | 'slow'
  /** The answer never ends. */
  | 'hostile'

/** A running stand-in. */
export interface MonitoringStandIn {
  readonly url: string
  become(mood: Mood): void
  close(): Promise<void>
}

const JUNK = Buffer.alloc(64 * 1024, 'x')

/** Starts a stand-in on a free port of loopback. */
export async function startMonitoringStandIn(): Promise<MonitoringStandIn> {
  let mood: Mood = 'well'
  const server = createServer((request, response) => {
    request.resume()
    if (mood === 'well') response.end('{}')
    if (mood === 'hostile') pour(response)
  })
  server.on('connection', (socket) => {
    if (mood === 'down') socket.resetAndDestroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/api/v1/telemetry`,
    become: (next) => {
      mood = next
      // Old connections are closed, so that the next message meets the new mood.
      server.closeAllConnections()
    },
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write(JUNK));
  response.once('drain', () => pour(response))
}
