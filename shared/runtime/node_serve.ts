/**
 * HTTP through `node:http`, on Node and on Deno.
 *
 * Deno's own server keeps a channel of 40 KiB for every answer that is a stream (measured on 2.9, 10,000 idle listeners: 67 KiB each,
 * against 23 KiB here; a burst costs a third less processor time here, a POST a tenth more).
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, ListenOptions as NodeListenOptions } from 'node:net'
import type { Handler } from '#shared/handler.ts'
import { writeAnswer } from './node_answer.ts'
import { NodeRequest } from './node_request.ts'
import { StreamSockets } from './node_stream_sockets.ts'
import { ambiguityOf, answerAsterisk, refuseAmbiguity } from './node_strict.ts'
import type { ListenPlace, RunningServer } from './runtime.ts'
import {
  CONNECTION_CHECK_MS,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  MAX_HEADER_BYTES,
  REQUEST_TIMEOUT_MS,
} from './server_limits.ts'
import { boundHeap } from './heap_bounds.ts'
import { openSocketFile } from './socket_file.ts'

/** Starts a server whose streams take their sockets from `node:http`: on Node, where it leaves them. */
export function serveNode(handler: Handler, place: ListenPlace): Promise<RunningServer> {
  boundHeap()
  return serve(handler, place, (server) => new StreamSockets(server))
}

/** Starts a server on Deno. */
export function serveLikeNode(handler: Handler, place: ListenPlace): Promise<RunningServer> {
  return serve(handler, place, () => undefined)
}

async function serve(
  handler: Handler,
  place: ListenPlace,
  toSockets: (server: Server) => StreamSockets | undefined,
): Promise<RunningServer> {
  // Not imported: an import asks for every export, and so loads the WebSocket client, which takes 30 ms of a start.
  const { createServer } = process.getBuiltinModule('node:http')
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTION_CHECK_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      // As the Fetch standard has it. Node leaves out the second of two credentials otherwise, and nothing would refuse them.
      joinDuplicateHeaders: true,
    },
    (message, response) => void respond(handler, { message, response, sockets }),
  )
  const sockets = toSockets(server)
  if ('path' in place) await openSocketFile(place, () => listen(server, { path: place.path }))
  else await listen(server, toListenOptions(place))
  return {
    url: urlOf(server.address()),
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      sockets?.destroyAll()
      return closed
    },
  }
}

/** @throws Where the system refuses the place. */
async function listen(server: Server, options: NodeListenOptions | { readonly fd: number }): Promise<void> {
  server.listen(options)
  await once(server, 'listening')
}

function toListenOptions(
  place: Exclude<ListenPlace, { readonly path: string }>,
): NodeListenOptions | { readonly fd: number } {
  if ('descriptor' in place) return { fd: place.descriptor }
  const { host, port, isShared = false } = place
  return { host, port, exclusive: true, ...(isShared && { reusePort: true }) }
}

interface Exchange {
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly sockets: StreamSockets | undefined
}

async function respond(handler: Handler, { message, response, sockets }: Exchange): Promise<void> {
  try {
    const request = new NodeRequest(message, response)
    const known = answerAsterisk(message)
    const ambiguity = known === undefined ? ambiguityOf(message) : undefined
    const refused = ambiguity === undefined ? undefined : refuseAmbiguity(request, ambiguity, randomUUID)
    const answer = known ?? refused ?? (await handler(request))
    writeAnswer(answer, response, { received: request, sockets })
  } catch {
    // Handlers answer their own errors, so what comes here is a defect.
    if (response.headersSent) response.destroy()
    else response.writeHead(500).end()
  }
}

function urlOf(place: AddressInfo | string | null): string {
  // A Unix socket that was opened by another program may tell no path.
  if (place === null || typeof place === 'string') return `unix:${place ?? ''}`
  const { address, family, port } = place
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
