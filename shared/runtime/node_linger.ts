/**
 * Clients that go on sending a body after their request was answered: a refusal ends their connection, if not at once.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { LINGER_MS } from './server_limits.ts'

/** Ends the connection where, some time after the answer, the body has still not come to its end. */
export function limitLingering(
  message: IncomingMessage,
  response: ServerResponse,
  lingerMs: number = LINGER_MS,
): void {
  if (message.complete) return
  response.once('finish', () => {
    const timer = setTimeout(() => {
      if (!message.complete) message.socket.destroy()
    }, lingerMs)
    timer.unref()
  })
}
