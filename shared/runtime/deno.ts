/**
 * Deno 2: HTTP through `node:http`, SQLite through `node:sqlite`, store calls through its own `fetch`.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { serveNode } from './node_serve.ts'
import { plainFetch } from './plain_fetch.ts'
import { newHostSha256 } from './host_sha256.ts'
import { createConnectHttp2 } from './http2.ts'
import { openHostDatabase, processIdentity } from './process_host.ts'
import { processUsage } from './process_usage.ts'
import { restoreDatabase } from './restore_database.ts'
import type { Platform } from './runtime.ts'
import { nodeUdp } from './udp.ts'

/** The part of the `Deno` global used here; its full types would bring a second set of web globals. */
interface DenoGlobal {
  readonly version: { readonly deno: string }
}

/** The powers of Deno. */
export function createDenoPlatform(): Platform {
  const deno = (globalThis as unknown as { Deno: DenoGlobal }).Deno
  return {
    name: 'deno',
    version: `deno ${deno.version.deno}`,
    environment: process.env,
    serve: serveNode,
    openDatabase: openHostDatabase,
    restoreDatabase,
    newSha256: newHostSha256,
    readText: (path) => readFile(path, 'utf8'),
    storeFetch: { unary: plainFetch, watch: plainFetch },
    connectHttp2: createConnectHttp2(process.env),
    udp: nodeUdp,
    usage: processUsage,
    random: () => crypto.randomUUID(),
    log: (line) => process.stderr.write(`${line}\n`),
    identity: processIdentity(),
  }
}
