/**
 * Clients that are answered while they still send a body.
 *
 * A server that ends an answer may close the connection (on `Connection: close` every runtime does, workerd always). The client then gets
 * a broken pipe while it writes, and many clients never read the answer. So the answer's bytes leave at once, and its end waits until the
 * client has sent what it wants to send. What it sends is thrown away, within bounds.
 *
 * @module
 */

import { LINGER_BYTES, LINGER_MS } from './server_limits.ts'

/** How much of a body is thrown away after an answer, and for how long. */
export interface LingerBounds {
  readonly bytes: number
  readonly ms: number
}

/** The bounds of every server. */
export const LINGER_BOUNDS: LingerBounds = { bytes: LINGER_BYTES, ms: LINGER_MS }

/** The body of a request, as its server sees it. */
export interface ArrivingBody {
  /** The server waits for nothing more: the body is whole, or the client has left. */
  readonly isOver: boolean
  /**
   * Throws away what is left of the body. Call it when the handler has read what it wants.
   *
   * @returns A promise that is fulfilled when the body is over or a bound is met.
   */
  takeRest(): Promise<void>
}
