/**
 * One HTTP/2 connection to each member. It is made with the first call that needs it, and again after it broke.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { ConnectHttp2, Http2Connection } from '#shared/runtime/http2_like.ts'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import { unavailable } from './errors.ts'
import type { Outcome } from './transport.ts'

/** A member that has not begun to speak HTTP/2 by then is passed over for another one. */
const CONNECT_LIMIT_MS = 1_000
/** A connection whose other side does not answer a ping by then is dead. */
const PING_LIMIT_MS = 1_000
/**
 * Bytes that a member may send on a stream before we have taken them. With HTTP/2's 64 KiB, it waits for us 16 times in each megabyte. So much
 * is also sent at most of an answer that we refuse.
 */
const WINDOW_BYTES = 1024 * 1024

/** Keeps the connections. */
export interface Connections {
  /** The connection to a member, at once where it stands. Never throws. Where there is none, nothing was sent. */
  get(endpoint: string): Outcome<Http2Connection> | Promise<Outcome<Http2Connection>>
  /**
   * A connection stayed silent, so new calls take another one. Calls that run on it may go on, unless its other side does not even answer a
   * ping.
   */
  suspect(endpoint: string, connection: Http2Connection): void
  close(): void
}

/** What connections are made with. */
export interface ConnectionsParts {
  readonly connect: ConnectHttp2
  readonly clock: Clock
}

/** Keeps connections. None is made yet. */
export function createConnections({ connect, clock }: ConnectionsParts): Connections {
  const standing = new Map<string, Http2Connection>()
  const begun = new Map<string, Promise<Outcome<Http2Connection>>>()
  /** Those that a ping is out for, or that are closed after it. */
  const suspected = new WeakSet<Http2Connection>()
  const closing = new AbortController()

  const begin = async (endpoint: string): Promise<Outcome<Http2Connection>> => {
    const giveUp = new AbortController()
    const options = { windowBytes: WINDOW_BYTES, signal: giveUp.signal }
    const late = (): undefined => undefined
    try {
      const limit = { clock, ms: CONNECT_LIMIT_MS, signal: closing.signal, late }
      const connection = await within(connect(endpoint, options), limit)
      if (connection === undefined) {
        giveUp.abort()
        const error = unavailable(new Error(`No HTTP/2 within ${CONNECT_LIMIT_MS} ms`))
        return { kind: 'not_done', error, silent: !closing.signal.aborted }
      }
      standing.set(endpoint, connection)
      return { kind: 'done', value: connection }
    } catch (error) {
      return { kind: 'not_done', error: isAvisoError(error) ? error : unavailable(error) }
    }
  }
  return {
    get: (endpoint) => {
      const connection = standing.get(endpoint)
      if (connection?.isOpen === true) return { kind: 'done', value: connection }
      const beginning = begun.get(endpoint) ?? begin(endpoint).finally(() => begun.delete(endpoint))
      begun.set(endpoint, beginning)
      return beginning
    },
    suspect: (endpoint, connection) => {
      if (suspected.has(connection)) return
      suspected.add(connection)
      if (standing.get(endpoint) === connection) standing.delete(endpoint)
      const late = (): never => {
        throw new Error('No answer to a ping')
      }
      within(connection.ping(), { clock, ms: PING_LIMIT_MS, late }).then(
        () => connection.close(),
        () => connection.destroy(),
      )
    },
    close: () => {
      closing.abort()
      for (const connection of standing.values()) connection.destroy()
      standing.clear()
    },
  }
}
