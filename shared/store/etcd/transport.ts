/**
 * How messages reach a member of etcd: over its JSON gateway (`http.ts`) or over gRPC (`grpc_transport.ts`, and npm etcd3
 * in `etcd3.ts`). `chosen_transport.ts` finds out which of them a member speaks.
 *
 * Flow: ingest → store → **transport** → etcd
 *
 * @module
 */

import type { Verdict } from './errors.ts'
import type { WireObject } from './wire.ts'

/** Outcome of a question. */
export type Outcome<Value> = { readonly kind: 'done'; readonly value: Value } | Verdict

/** What a question is asked at its limit, which holds again when it may go on. */
export interface Patience {
  /** For all of the wait, in milliseconds. */
  readonly longestMs: number
  /** Whether the member works, and can reach the others. Never rejects. */
  readonly isWorking: () => Promise<boolean>
}

/** A question to one member. */
export interface Exchange {
  /** Address of the member, e.g. `http://10.0.0.1:2379`. */
  readonly endpoint: string
  /** As the gateway has it, e.g. `/v3/kv/range`; in gRPC terms service and method. */
  readonly path: string
  /** Fields named as in etcd's `rpc.proto`: int64 as decimal text, enumerations as numbers, bytes by {@link Transport.encodeBytes}. */
  readonly message: object
  /** etcd's token, where it asks for one. */
  readonly token: string | undefined
  /** Until the answer begins. */
  readonly limitMs: number
  /** For an answer that may take longer. Absent: the limit holds. */
  readonly patience?: Patience | undefined
  /** Each of these signals aborts the question. */
  readonly signals: readonly (AbortSignal | undefined)[]
}

/** Request for an answer of many messages. */
export interface StreamRequest {
  readonly endpoint: string
  /** As the gateway has it. Default: `/v3/watch`, the only one that gRPC knows here. */
  readonly path?: string
  /** A `WatchRequest`, or what the path takes. */
  readonly message: object
  readonly token: string | undefined
  /** Closes the connection, also later. */
  readonly signal: AbortSignal
}

/** An open watch. */
export interface MessageStream {
  /**
   * The messages that arrive next, possibly none; `undefined` at the end, or once it was cancelled. Each is `{ result }` or `{ error }`,
   * as in the gateway.
   *
   * @throws {AvisoError} `ERR_STORE_PROTOCOL` for something that is not a message, and the runtime's own error for a broken connection.
   */
  next(): Promise<readonly WireObject[] | undefined>
  /** Closes the connection. Idempotent. */
  cancel(): void
}

/** Carries messages. Every request requires a leader, so that a member without one refuses instead of staying silent. */
export interface Transport {
  /** The way that was last used, e.g. `gRPC`. */
  readonly way: string
  /** Encodes bytes for a message. Answers may hold base64 or bytes. */
  readonly encodeBytes: (bytes: Uint8Array) => unknown
  /** Whether a watch begins cut, because nothing of a message comes before all of it is ready. */
  readonly beginsCut: boolean
  /** Never throws. */
  ask(exchange: Exchange): Promise<Outcome<WireObject>>
  /** Opens a watch; no message needs to have come. */
  open(request: StreamRequest): Promise<Outcome<MessageStream>>
  close(): void
}
