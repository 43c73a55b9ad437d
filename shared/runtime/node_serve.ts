/**
 * HTTP through `node:http` and srvx, on Node and on Deno.
 *
 * Deno's own server keeps a channel of 40 KiB for every answer that is a stream (measured on 2.9, 10,000 idle listeners: 67 KiB each,
 * against 23 KiB here; a burst costs a third less processor time here, a POST a tenth more).
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { FastResponse, serve } from 'srvx/node'
import { answerSender } from './lingering.ts'
import { readingFromMessage } from './node_body.ts'
import { ambiguityOf, refuseAmbiguity } from './node_strict.ts'
import { writingStreams } from './node_stream.ts'
import type { FetchHandler, ListenOptions, RunningServer } from './runtime.ts'
import {
  CONNECTION_CHECK_MS,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  MAX_HEADER_BYTES,
  REQUEST_TIMEOUT_MS,
} from './server_limits.ts'

/** Starts a server. */
export async function serveNode(
  handler: FetchHandler,
  { host, port, onPeer }: ListenOptions,
): Promise<RunningServer> {
  // Undici's own Response costs twice the rest of a request (`shared/README.md`, "Decisions"); srvx's answers the same calls.
  globalThis.Response = FastResponse as unknown as typeof Response
  const server = serve({
    fetch: async (serverRequest) => {
      const node = serverRequest.runtime?.node
      const message = node?.req as IncomingMessage
      const { request, body } = readingFromMessage(serverRequest, message, node?.res as ServerResponse)
      const ambiguity = ambiguityOf(message)
      if (onPeer !== undefined && request.ip !== undefined) onPeer(request, request.ip)
      const answer = ambiguity === undefined ? await handler(request) : refuseAmbiguity(ambiguity)
      return writingStreams(body.isOver ? answer : await answerSender(answer, body))
    },
    hostname: host,
    port,
    silent: true,
    gracefulShutdown: false,
    node: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTION_CHECK_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
  })
  await server.ready()
  return {
    url: trimSlash(server.url ?? `http://${host}:${port}`),
    close: () => Promise.resolve(server.close(true)).then(() => undefined),
  }
}

function trimSlash(url: string): string {
  return url.replace(/\/$/, '')
}
