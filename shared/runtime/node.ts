/**
 * Node (22.18 or newer): HTTP through srvx, SQLite through `node:sqlite`, store calls through undici.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { FastResponse, serve } from 'srvx/node'
import { databaseFile, processIdentity } from './process_host.ts'
import { processUsage } from './process_usage.ts'
import { readingFromMessage } from './node_body.ts'
import { createNodeFetch } from './node_fetch.ts'
import { ambiguityOf, refuseAmbiguity } from './node_strict.ts'
import { writingStreams } from './node_stream.ts'
import type { FetchHandler, ListenOptions, Platform, RunningServer } from './runtime.ts'
import {
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  MAX_HEADER_BYTES,
  REQUEST_TIMEOUT_MS,
} from './server_limits.ts'
import { openSqlite } from './sqlite.ts'
import { nodeUdp } from './udp.ts'

/** The powers of Node. */
export function createNodePlatform(): Platform {
  const { unary, watch } = createNodeFetch()
  return {
    name: 'node',
    version: `node ${process.versions.node}`,
    environment: process.env,
    serve: serveNode,
    openDatabase: async (folder) => openSqlite(await databaseFile(folder)),
    readText: (path) => readFile(path, 'utf8'),
    storeFetch: { unary, watch },
    udp: nodeUdp,
    usage: processUsage,
    random: randomUUID,
    log: (line) => process.stderr.write(`${line}\n`),
    identity: processIdentity(),
  }
}

async function serveNode(
  handler: FetchHandler,
  { host, port, onPeer }: ListenOptions,
): Promise<RunningServer> {
  // Undici's own Response costs twice the rest of a request (README, "Runtimes"); srvx's answers the same calls.
  globalThis.Response = FastResponse as unknown as typeof Response
  const server = serve({
    fetch: async (request) => {
      const message = request.runtime?.node?.req as IncomingMessage | undefined
      const ambiguity = message === undefined ? undefined : ambiguityOf(message)
      if (ambiguity !== undefined) return refuseAmbiguity(ambiguity)
      if (onPeer !== undefined && request.ip !== undefined) onPeer(request, request.ip)
      return writingStreams(await handler(readingFromMessage(request)))
    },
    hostname: host,
    port,
    silent: true,
    gracefulShutdown: false,
    node: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
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
