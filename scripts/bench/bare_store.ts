/**
 * The bare limits of storing and reading: etcd spoken to over the transport of our own adapter, with nothing in between.
 *
 * @module
 */

import { toText } from '#shared/bytes/bytes.ts'
import { createLineSplitter } from '#shared/bytes/lines.ts'
import { createNodeFetch } from '#shared/runtime/node_fetch.ts'
import { bareKeyValue } from './notifications.ts'

/** etcd without us. */
export interface BareStore {
  /** One put of the size of a notification. */
  put(n: number): Promise<void>
  /** One transaction of `size` such puts. */
  putMany(n: number, size: number): Promise<void>
  /** Watches everything from the first revision and parses what comes, until `events` of it came. @returns Events per second. */
  readHistory(events: number): Promise<number>
  close(): Promise<void>
}

/** A way to speak to etcd: ours, and the bare one that it is compared with. */
export interface Wire {
  /** What rows are named after. */
  readonly name: string
  /** Of the store's address. */
  readonly scheme: 'http:' | 'grpc:'
  readonly open: (endpoint: string) => BareStore
}

/** What is read of a watch's line. */
interface WatchLine {
  readonly result?: { readonly events?: readonly { readonly kv?: { readonly value?: string } }[] }
}

/** Lines have megabytes here. */
const MAX_LINE_BYTES = 64 * 1024 * 1024
const HEADERS = { 'content-type': 'application/json' }

/** @param endpoint e.g. `http://127.0.0.1:2379` */
export function createBareStore(endpoint: string): BareStore {
  const { unary, watch, close } = createNodeFetch()
  // Never aborted: the calls are few and the server is ours.
  const { signal } = new AbortController()
  const call = async (path: string, body: string): Promise<void> => {
    const response = await unary(`${endpoint}${path}`, { headers: HEADERS, body, signal })
    const parts: Uint8Array[] = []
    for (let part = await response.read(); part !== undefined; part = await response.read()) parts.push(part)
    const text = Buffer.concat(parts).toString()
    if (response.status !== 200) throw new Error(`etcd answered ${response.status}: ${text.slice(0, 300)}`)
    JSON.parse(text)
  }
  return {
    put: (n) => call('/v3/kv/put', JSON.stringify(bareKeyValue(n))),
    putMany: (n, size) => {
      const success = Array.from({ length: size }, (_, index) => ({
        request_put: bareKeyValue(n * size + index),
      }))
      return call('/v3/kv/txn', JSON.stringify({ success }))
    },
    readHistory: async (events) => {
      const body = JSON.stringify({
        create_request: { key: btoa('\0'), range_end: btoa('\0'), start_revision: '1', fragment: true },
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
