/**
 * Deno 2: HTTP through `node:http`, SQLite through `node:sqlite`, store calls through its own `fetch`.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { serveLikeNode } from './node_serve.ts'
import { createPlainFetch, plainFetch, type StandardFetch } from './plain_fetch.ts'
import { newHostSha256 } from './host_sha256.ts'
import { createConnectHttp2 } from './http2.ts'
import { createLocalClient } from './local_client.ts'
import { onStop, openHostDatabase, processIdentity } from './process_host.ts'
import { processUsage } from './process_usage.ts'
import { restoreDatabase } from './restore_database.ts'
import { salvageDatabase } from './salvage_database.ts'
import type { Platform } from './runtime.ts'
import { toTlsOptions, type FindStoreTls, type StoreTls } from './store_tls.ts'
import { nodeUdp } from './udp.ts'

/** The part of the `Deno` global used here; its full types would bring a second set of web globals. */
interface DenoGlobal {
  readonly version: { readonly deno: string }
  createHttpClient(options: {
    readonly caCerts?: readonly string[]
    readonly cert?: string
    readonly key?: string
  }): object
}

/** The powers of Deno. */
export function createDenoPlatform(): Platform {
  const deno = (globalThis as unknown as { Deno: DenoGlobal }).Deno
  return {
    name: 'deno',
    version: `deno ${deno.version.deno}`,
    environment: process.env,
    serve: serveLikeNode,
    connectLocal: createLocalClient,
    openDatabase: openHostDatabase,
    restoreDatabase,
    salvageDatabase,
    newSha256: newHostSha256,
    readText: (path) => readFile(path, 'utf8'),
    storeFetch: { unary: plainFetch, watch: plainFetch },
    connectHttp2: createConnectHttp2(process.env),
    storeOverTls: (findTls) => {
      const fetchOfStore = createTlsFetch(deno, findTls)
      const secured = createPlainFetch(fetchOfStore)
      return {
        storeFetch: { unary: secured, watch: secured },
        connectHttp2: createConnectHttp2(process.env, findTls),
        fetchOfStore,
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

/** `fetch` with a client for what the connections are secured with. A former client ends with its last answer. */
function createTlsFetch(deno: DenoGlobal, findTls: FindStoreTls): StandardFetch {
  let made: { readonly tls: StoreTls; readonly client: object } | undefined
  return (url, init) => {
    const tls = findTls()
    if (made?.tls !== tls) made = { tls, client: deno.createHttpClient(toClientOptions(tls)) }
    return fetch(url, { ...init, client: made.client } as RequestInit)
  }
}

function toClientOptions(tls: StoreTls): Parameters<DenoGlobal['createHttpClient']>[0] {
  const { ca, ...own } = toTlsOptions(tls)
  return { ...own, ...(ca !== undefined && { caCerts: [ca] }) }
}
