/**
 * The part of `fetch` that the etcd gateway adapter needs, so that each runtime can bring the client that serves it best.
 *
 * Flow: ingest → store → **fetch** → etcd
 *
 * @module
 */

/** A POST. */
export interface FetchLikeRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Gives up the request, or the answer that is being read, and closes its connection. */
  readonly signal: AbortSignal
}

/** An answer whose head has arrived. A caller that does not read it to its end must {@link FetchLikeResponse.cancel} it. */
export interface FetchLikeResponse {
  readonly status: number
  /**
   * The next piece of the body; `undefined` at its end. Not called again before it has settled.
   *
   * @throws Whatever the runtime throws when the connection breaks or `signal` aborts.
   */
  read(): Promise<Uint8Array | undefined>
  /** Gives up the rest of the body and closes the connection. Idempotent; does nothing after the end. */
  cancel(): void
}

/**
 * Sends a POST exactly once: no redirect is followed, nothing is sent again, no time limit but `signal` applies.
 *
 * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` where the request certainly did not leave this machine (no server listens there, no such
 *   host, no connection in time).
 * @throws Anything else where it may have arrived.
 */
export type FetchLike = (url: string, request: FetchLikeRequest) => Promise<FetchLikeResponse>
