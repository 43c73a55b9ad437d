/**
 * Bun 1: `Bun.serve`, SQLite through `node:sqlite`, store calls through its own `fetch`.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { toReadableStream } from '#shared/bytes/byte_source.ts'
import { AvisoError } from '#shared/errors.ts'
import { isStreamed, type Answer, type Handler } from '#shared/handler.ts'
import { createBunFetch, createBunTlsFetch } from './plain_fetch.ts'
import { newHostSha256 } from './host_sha256.ts'
import { createConnectHttp2 } from './http2.ts'
import { createLocalClient } from './local_client.ts'
import { onStop, openHostDatabase, processIdentity } from './process_host.ts'
import { processUsage } from './process_usage.ts'
import { restoreDatabase } from './restore_database.ts'
import { salvageDatabase } from './salvage_database.ts'
import type { ListenPlace, Platform, RunningServer } from './runtime.ts'
import { TAKEN_LIMIT_MS } from './server_limits.ts'
import { openSocketFile } from './socket_file.ts'
import { nodeUdp } from './udp.ts'
import { respondTo, WebRequest } from './web_request.ts'

/** The parts of the `Bun` global used here. */
interface BunGlobal {
  readonly version: string
  serve(options: {
    hostname?: string
    port?: number
    reusePort?: boolean
    unix?: string
    idleTimeout: number
    maxRequestBodySize: number
    fetch: (request: Request, server: BunServer) => Promise<Response>
  }): BunServer
}

interface BunServer {
  readonly port: number
  /** Closes the connection of a request when nothing has moved on it for so many seconds. The next request is not bound by that. */
  timeout(request: Request, seconds: number): void
  requestIP(request: Request): { readonly address: string } | null
  stop(closeActive: boolean): Promise<void>
}

/** The powers of Bun. */
export function createBunPlatform(): Platform {
  const bun = (globalThis as unknown as { Bun: BunGlobal }).Bun
  const storeFetch = createBunFetch()
  return {
    name: 'bun',
    version: `bun ${bun.version}`,
    environment: process.env,
    serve: (handler, options) => serveBun(bun, handler, options),
    connectLocal: createLocalClient,
    openDatabase: openHostDatabase,
    restoreDatabase,
    salvageDatabase,
    newSha256: newHostSha256,
    readText: (path) => readFile(path, 'utf8'),
    storeFetch: { unary: storeFetch, watch: storeFetch },
    connectHttp2: createConnectHttp2(process.env),
    storeOverTls: (findTls) => {
      const secured = createBunFetch(findTls)
      return {
        storeFetch: { unary: secured, watch: secured },
        connectHttp2: createConnectHttp2(process.env, findTls),
        fetchOfStore: createBunTlsFetch(findTls),
      }
    },
    udp: nodeUdp,
    usage: processUsage,
    onStop,
    random: () => crypto.randomUUID(),
    log: (line) => process.stderr.write(`${line}\n`),
    identity: processIdentity(),
  }
}

async function serveBun(bun: BunGlobal, handler: Handler, place: ListenPlace): Promise<RunningServer> {
  if ('descriptor' in place) throw noDescriptors()
  if ('path' in place) {
    const { path } = place
    const server = await openSocketFile(place, async () => open(bun, handler, { unix: path }))
    return { url: `unix:${path}`, close: () => server.stop(true) }
  }
  const { host, port, isShared = false } = place
  const server = open(bun, handler, { hostname: host, port, reusePort: isShared })
  return { url: `http://${host}:${server.port}`, close: () => server.stop(true) }
}

/** Bun takes the number of a socket for nothing, and listens elsewhere (measured on 1.4). */
function noDescriptors(): AvisoError {
  return new AvisoError(
    'ERR_CONFIG',
    'Bun cannot take the socket that the service manager opened (LISTEN_FDS): run the services on Node or Deno, or let them listen themselves',
  )
}

/** Where Bun listens. */
type BunPlace =
  | { readonly hostname: string; readonly port: number; readonly reusePort: boolean }
  | { readonly unix: string }

function open(bun: BunGlobal, handler: Handler, place: BunPlace): BunServer {
  // Bun closes a response that is silent for 10 s unless told otherwise; our heartbeats alone should decide.
  return bun.serve({
    ...place,
    idleTimeout: 0,
    // Beyond it Bun answers by itself and closes the connection of a client that still sends. It reads no more than is asked for.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: async (request, self) => {
      const received = new WebRequest(request, {
        findPeer: () => self.requestIP(request)?.address,
        isClosing: closesAfter(request.headers),
      })
      const answer = await handler(received)
      return respondTo(
        received,
        onEndOf(answer, () => self.timeout(request, TAKEN_LIMIT_MS / 1000)),
      )
    },
  })
}

/** The same answer, of which is told when its source has ended. */
function onEndOf(answer: Answer, onEnd: () => void): Answer {
  const { body } = answer
  if (!isStreamed(body) || body instanceof ReadableStream) return answer
  return { ...answer, body: toReadableStream(body, onEnd) }
}

/**
 * Whether Bun closes the connection with the end of the answer, even where the client still sends. On other connections it goes on reading.
 * Taken for so with every list that is more than `keep-alive`.
 */
function closesAfter(headers: Headers): boolean {
  const connection = headers.get('connection')
  return connection !== null && connection.toLowerCase() !== 'keep-alive'
}
