/**
 * Bun 1: `Bun.serve`, SQLite through `node:sqlite`, store calls through its own `fetch`.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { bunFetch } from './plain_fetch.ts'
import { databaseFile, processIdentity } from './process_host.ts'
import { processUsage } from './process_usage.ts'
import type { FetchHandler, ListenOptions, Platform, RunningServer } from './runtime.ts'
import { openSqlite } from './sqlite.ts'
import { nodeUdp } from './udp.ts'

/** The parts of the `Bun` global used here. */
interface BunGlobal {
  readonly version: string
  serve(options: {
    hostname: string
    port: number
    idleTimeout: number
    fetch: (request: Request, server: BunServer) => Promise<Response>
  }): BunServer
}

interface BunServer {
  readonly port: number
  requestIP(request: Request): { readonly address: string } | null
  stop(closeActive: boolean): Promise<void>
}

/** The powers of Bun. */
export function createBunPlatform(): Platform {
  const bun = (globalThis as unknown as { Bun: BunGlobal }).Bun
  return {
    name: 'bun',
    version: `bun ${bun.version}`,
    environment: process.env,
    serve: (handler, options) => serveBun(bun, handler, options),
    openDatabase: async (folder) => openSqlite(await databaseFile(folder)),
    readText: (path) => readFile(path, 'utf8'),
    storeFetch: { unary: bunFetch, watch: bunFetch },
    udp: nodeUdp,
    usage: processUsage,
    random: () => crypto.randomUUID(),
    log: (line) => process.stderr.write(`${line}\n`),
    identity: processIdentity(),
  }
}

async function serveBun(
  bun: BunGlobal,
  handler: FetchHandler,
  { host, port, onPeer }: ListenOptions,
): Promise<RunningServer> {
  // Bun closes a response that is silent for 10 s unless told otherwise; our heartbeats alone should decide.
  const server = bun.serve({
    hostname: host,
    port,
    idleTimeout: 0,
    fetch: (request, self) => {
      const peer = onPeer === undefined ? null : self.requestIP(request)
      if (peer !== null) onPeer?.(request, peer.address)
      return handler(request)
    },
  })
  return { url: `http://${host}:${server.port}`, close: () => server.stop(true) }
}
