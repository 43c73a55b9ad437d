/**
 * Node (22.18 or newer): HTTP through `node:http`, SQLite through `node:sqlite`, store calls through undici.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { newHostSha256 } from './host_sha256.ts'
import { createConnectHttp2 } from './http2.ts'
import { createLocalClient } from './local_client.ts'
import { onStop, openHostDatabase, processIdentity } from './process_host.ts'
import { processUsage } from './process_usage.ts'
import { restoreDatabase } from './restore_database.ts'
import { salvageDatabase } from './salvage_database.ts'
import { createNodeFetch } from './node_fetch.ts'
import { serveNode } from './node_serve.ts'
import type { Platform } from './runtime.ts'
import { nodeUdp } from './udp.ts'

/** The powers of Node. */
export function createNodePlatform(): Platform {
  const { unary, watch } = createNodeFetch()
  return {
    name: 'node',
    version: `node ${process.versions.node}`,
    environment: process.env,
    serve: serveNode,
    connectLocal: createLocalClient,
    openDatabase: openHostDatabase,
    restoreDatabase,
    salvageDatabase,
    newSha256: newHostSha256,
    readText: (path) => readFile(path, 'utf8'),
    storeFetch: { unary, watch },
    connectHttp2: createConnectHttp2(process.env),
    storeOverTls: (findTls) => {
      const storeFetch = createNodeFetch(findTls)
      return {
        storeFetch,
        connectHttp2: createConnectHttp2(process.env, findTls),
        fetchOfStore: storeFetch.fetch,
      }
    },
    udp: nodeUdp,
    usage: processUsage,
    onStop,
    random: randomUUID,
    log: (line) => process.stderr.write(`${line}\n`),
    identity: processIdentity(),
  }
}
