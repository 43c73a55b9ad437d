/**
 * Calls to the store on Node, through undici's client instead of `fetch`.
 *
 * Measured on Node 24 and etcd 3.4, puts of 128 bytes, 2 cores, at 1 / 16 / 64 connections (calls per second, processor time per call):
 * `undici.request` 1,450 / 7,000 / 9,500 and 44 µs, `node:http` 1,580 / 6,800 / 9,100 and 64 µs, `fetch` 1,300 / 3,200 / 4,300 and 225 µs.
 *
 * @module
 */

import type { Agent } from 'undici'
import type { FetchLike, FetchLikeRequest, FetchLikeResponse } from './fetch_like.ts'
import { isNotSent, notSentError } from './plain_fetch.ts'
import { toTlsOptions, type FindStoreTls, type StoreTls } from './store_tls.ts'

/** Connections kept to one member of the store; more calls than that wait for each other. */
const MAX_CONNECTIONS = 64
/** A member that does not take a connection by then is passed over for another one. */
const CONNECT_TIMEOUT_MS = 1_000
/** Connections are kept this long without use; etcd itself never closes them. */
const KEEP_ALIVE_MS = 60_000

/** Clients for calls that are answered soon, and for watches, whose connections are not counted. */
export interface NodeFetch {
  readonly unary: FetchLike
  readonly watch: FetchLike
  /** The standard's `fetch`, secured in the same way. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** Closes all connections. */
  close(): Promise<void>
}

/** The part of undici that is used here. */
interface Client {
  readonly agent: Agent
  readonly request: typeof import('undici').request
  readonly fetch: typeof import('undici').fetch
}

/**
 * Makes the clients. undici is loaded with the first call: it takes 0.1 s, and the embedded store has no use for it.
 *
 * @param findTls What the connections are secured with; absent: what the machine trusts.
 */
export function createNodeFetch(findTls: FindStoreTls = () => MACHINE): NodeFetch {
  const unary = createClient({ connections: MAX_CONNECTIONS }, findTls)
  const watch = createClient({}, findTls)
  return {
    unary: async (url, request) => send(await unary.open(), url, request),
    watch: async (url, request) => send(await watch.open(), url, request),
    fetch: async (url, init) => {
      const { agent, fetch } = await unary.open()
      // undici's own types for the standard's classes, which are the same at run time.
      const answer: unknown = await fetch(url, { ...(init as object), dispatcher: agent })
      return answer as Response
    },
    close: async () => {
      await Promise.all([unary.close(), watch.close()])
    },
  }
}

/** What the machine trusts. */
const MACHINE: StoreTls = {}

function createClient(
  options: Agent.Options,
  findTls: FindStoreTls,
): {
  readonly open: () => Promise<Client>
  readonly close: () => Promise<void>
} {
  let client: Promise<Client> | undefined
  let loadedWith: StoreTls | undefined
  const load = async (tls: StoreTls): Promise<Client> => {
    const { Agent, fetch, request } = await import('undici')
    const agent = new Agent({
      ...options,
      connect: { timeout: CONNECT_TIMEOUT_MS, ...toTlsOptions(tls) },
      keepAliveTimeout: KEEP_ALIVE_MS,
      // The caller sets the time limits. A watch may be silent for hours.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    return { agent, fetch, request }
  }
  return {
    open: () => {
      const tls = findTls()
      if (client !== undefined && tls === loadedWith) return client
      // Its calls and watches go on to their end.
      void client?.then(({ agent }) => agent.close()).catch(() => undefined)
      loadedWith = tls
      return (client = load(tls))
    },
    close: async () => {
      await (await client)?.agent.destroy()
    },
  }
}

async function send(
  { agent, request }: Client,
  url: string,
  { headers, body, signal }: FetchLikeRequest,
): Promise<FetchLikeResponse> {
  if (signal.aborted) throw notSentError(signal.reason)
  try {
    const answer = await request(url, { dispatcher: agent, method: 'POST', headers, body, signal })
    const pieces = answer.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
    // The reader has left already, so no caller needs to learn that the connection broke.
    answer.body.on('error', () => undefined)
    return {
      status: answer.statusCode,
      read: async () => {
        const piece = await pieces.next()
        return piece.done === true ? undefined : piece.value
      },
      cancel: () => {
        answer.body.destroy()
      },
    }
  } catch (error) {
    throw isNotSent(error) ? notSentError(error) : error
  }
}
