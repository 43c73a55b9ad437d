/**
 * The bare limit of reading: a watch of etcd over the transport of our own adapter, without the rest of our code.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { toText } from '#shared/bytes/bytes.ts'
import { createLineSplitter } from '#shared/bytes/lines.ts'
import { silentLogger } from '#shared/logger.ts'
import { createNodeFetch } from '#shared/runtime/node_fetch.ts'
import { createGatewayStore } from '#shared/store/etcd/gateway.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

/** An etcd without our code. */
export interface BareStore {
  /** Watches all keys from the first revision, and parses until `events` events have come. @returns the events per second */
  readHistory(events: number): Promise<number>
  close(): Promise<void>
}

/** A protocol to etcd: the scheme for our adapter, and the bare client that it is compared with. */
export interface Wire {
  /** Text that the names of its rows end with. */
  readonly name: string
  /** Scheme of the store's address. */
  readonly scheme: 'gateway:' | 'grpc:'
  readonly open: (endpoint: string) => BareStore
  /** Opens our adapter, without the rest of our code. */
  readonly openOurs: (endpoint: string) => Store
}

/** Opens our gateway adapter. @param endpoint Address such as `http://127.0.0.1:2379`. */
export function openGatewayStore(endpoint: string): Store {
  const { unary, watch, close } = createNodeFetch()
  const store = createGatewayStore({ endpoints: [endpoint], fetch: unary, watchFetch: watch, ...ADAPTER })
  return { ...store, close: async () => (await store.close(), close()) }
}

/** What our adapters are made with. */
export const ADAPTER = { clock: systemClock, random: randomUUID, logger: silentLogger } as const

/** The part of a watch's line that is read. */
interface WatchLine {
  readonly result?: { readonly events?: readonly { readonly kv?: { readonly value?: string } }[] }
}

/** Longest line. Lines of a watch of history have megabytes. */
const MAX_LINE_BYTES = 256 * 1024 * 1024
const HEADERS = { 'content-type': 'application/json' }

/** @param endpoint Address such as `http://127.0.0.1:2379`. */
export function createBareStore(endpoint: string): BareStore {
  const { watch, close } = createNodeFetch()
  // The signal never aborts, because the calls are few and the server is ours.
  const { signal } = new AbortController()
  return {
    readHistory: async (events) => {
      const body = JSON.stringify({
        create_request: { key: btoa('\0'), range_end: btoa('\0'), start_revision: '1' },
      })
      const startedAt = performance.now()
      const response = await watch(`${endpoint}/v3/watch`, { headers: HEADERS, body, signal })
      const lines = createLineSplitter({ maxBytes: MAX_LINE_BYTES })
      let seen = 0
      while (seen < events) {
        const part = await response.read()
        if (part === undefined) throw new Error('etcd ended a watch')
        for (const line of lines.add(part))
          seen += (JSON.parse(toText(line)) as WatchLine).result?.events?.length ?? 0
      }
      response.cancel()
      return (seen / (performance.now() - startedAt)) * 1_000
    },
    close,
  }
}
