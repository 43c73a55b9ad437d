/**
 * Deno 2: `Deno.serve`, SQLite through `node:sqlite`, store calls through its own `fetch`.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { plainFetch } from './plain_fetch.ts'
import { databaseFile, processIdentity } from './process_host.ts'
import { processUsage } from './process_usage.ts'
import type { FetchHandler, ListenOptions, Platform, RunningServer } from './runtime.ts'
import { openSqlite } from './sqlite.ts'
import { nodeUdp } from './udp.ts'

/** The parts of the `Deno` global used here; its full types would bring a second set of web globals. */
interface DenoGlobal {
  readonly version: { readonly deno: string }
  serve(
    options: { hostname: string; port: number; onListen: () => void; signal: AbortSignal },
    handler: (request: Request, info: DenoConnection) => Promise<Response>,
  ): { readonly addr: { readonly hostname: string; readonly port: number }; readonly finished: Promise<void> }
}

/** What `Deno.serve` tells of a connection. */
interface DenoConnection {
  readonly remoteAddr: { readonly hostname?: string }
}

/** The powers of Deno. */
export function createDenoPlatform(): Platform {
  const deno = (globalThis as unknown as { Deno: DenoGlobal }).Deno
  return {
    name: 'deno',
    version: `deno ${deno.version.deno}`,
    environment: process.env,
    serve: (handler, options) => serveDeno(deno, handler, options),
    openDatabase: async (folder) => openSqlite(await databaseFile(folder)),
    readText: (path) => readFile(path, 'utf8'),
    storeFetch: { unary: plainFetch, watch: plainFetch },
    udp: nodeUdp,
    usage: processUsage,
    random: () => crypto.randomUUID(),
    log: (line) => process.stderr.write(`${line}\n`),
    identity: processIdentity(),
  }
}

async function serveDeno(
  deno: DenoGlobal,
  handler: FetchHandler,
  { host, port, onPeer }: ListenOptions,
): Promise<RunningServer> {
  const stop = new AbortController()
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  const handle = (request: Request, { remoteAddr }: DenoConnection): Promise<Response> => {
    if (onPeer !== undefined && remoteAddr.hostname !== undefined) onPeer(request, remoteAddr.hostname)
    return handler(request)
  }
  const server = deno.serve({ hostname: host, port, onListen: resolve, signal: stop.signal }, handle)
  await listening
  return {
    url: `http://${host}:${server.addr.port}`,
    close: async () => {
      stop.abort()
      await server.finished
    },
  }
}
