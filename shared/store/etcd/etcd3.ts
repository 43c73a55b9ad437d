/**
 * The store port over etcd's gRPC, through npm etcd3, for Node, Deno and Bun. No address of a store leads here: tests compare our own gRPC
 * (`grpc_transport.ts`) with it.
 *
 * Of etcd3 only the messages and the connections are used. Its retries repeat writes whose outcome is unknown, its circuit breaker refuses
 * calls after a large answer, and its watches resume behind the header's revision, which loses events (measured: 5,016 of 6,016). So
 * all that is ours, as for the gateway.
 *
 * Not for workerd: gRPC needs HTTP/2 of Node.
 *
 * @module
 */

import { Etcd3, type ICallable } from 'etcd3'
import { awaitAnswer } from './patience.ts'
import { isUntrusted, untrusted } from '#shared/runtime/certificate.ts'
import { isTooLargeMessage, judge, silence, unavailable, type Verdict } from './errors.ts'
import { onAbort } from './on_abort.ts'
import { decodeWatchMessage } from './packed_events.ts'
import { createStoreOver, type EtcdStoreParts } from './store.ts'
import type { MessageStream, Outcome, StreamRequest, Transport } from './transport.ts'
import { malformed, toObject, type WireObject } from './wire.ts'
import type { Store } from '../store.ts'

/** Waits between attempts to connect to a member that is away; gRPC's own grow to two minutes. */
const RECONNECT_MS = { first: 50, most: 500 } as const
/** Largest message: as over the gateway, and several times what etcd sends. Of a longer one nothing is kept. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024
/** Bytes that a member may send before we have taken them. With HTTP/2's 64 KiB, it waits for us 16 times in each megabyte. */
const FLOW_CONTROL_BYTES = 4 * 1024 * 1024
/** Messages of a watch that are received while the one before is read: enough to wait for neither. */
const MESSAGES_AHEAD = 1
/** gRPC's deadline is later than ours, so that our time limit decides. */
const DEADLINE_SLACK_MS = 1_000
/** Paths of the gateway → services and methods. */
const METHODS: Readonly<Record<string, readonly [service: ServiceName, method: string]>> = {
  '/v3/kv/range': ['KV', 'range'],
  '/v3/kv/txn': ['KV', 'txn'],
  '/v3/kv/compaction': ['KV', 'compact'],
  '/v3/lease/grant': ['Lease', 'leaseGrant'],
  '/v3/maintenance/status': ['Maintenance', 'status'],
  '/v3/auth/authenticate': ['Auth', 'authenticate'],
}

/** How grpc-js begins to say that a call never left. */
const NOT_SENT = ['No connection established', 'Name resolution failed', 'Channel closed before call started']

type ServiceName = Parameters<ICallable<unknown>['exec']>[0]

/** gRPC metadata, as far as it is used. */
interface Metadata {
  clone(): Metadata
  set(name: string, value: string): void
}

/** What gRPC says about a failure. */
interface GrpcError {
  readonly code: number
  readonly details: string
}

/** A running call. */
interface Call {
  cancel(): void
}

/** A watch of gRPC: a stream of objects in both directions. */
interface WatchCall extends Call, AsyncIterable<WireObject> {
  /** How much it takes ahead. gRPC passes no option on to the stream that it makes. */
  readonly _readableState?: { highWaterMark: number }
  on(event: 'error', listener: (error: Error) => void): void
  write(message: object): void
}

/** The client of a service, as far as it makes streams with a decoder of our own. */
interface WatchClient {
  /** The method, as it is described in etcd's files. */
  readonly watch: { readonly path: string; readonly requestSerialize: (message: object) => Uint8Array }
  makeBidiStreamRequest(
    path: string,
    serialize: (message: object) => Uint8Array,
    deserialize: (bytes: Uint8Array) => WireObject,
    metadata: Metadata,
  ): WatchCall
}

type UnaryMethod = (
  message: object,
  metadata: Metadata,
  options: { readonly deadline: number },
  done: (error: GrpcError | null, answer?: WireObject) => void,
) => Call

/** A service of one member, by method name. */
interface Service {
  readonly [method: string]: UnaryMethod
}

/** What the store is made with. Its addresses look like `grpc://10.0.0.1:2379`, `grpcs://` with TLS. */
export type GrpcStoreParts = Omit<EtcdStoreParts, 'transport'>

/** Makes the store. Nothing is asked of etcd before the first call. */
export function createEtcdStore(parts: GrpcStoreParts): Store {
  return createStoreOver({ ...parts, transport: createGrpcTransport(parts) })
}

/** One member, without any of etcd3's fault handling. */
class Member extends Etcd3 {
  constructor(endpoint: string) {
    // The pool calls no more of a policy than this.
    const policy = { execute: <Value>(call: () => Value) => call() } as never
    super({
      hosts: endpoint.replace(/^grpc/, 'http'),
      faultHandling: { host: () => policy, global: policy },
      grpcOptions: {
        'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
        'grpc.max_send_message_length': -1,
        'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
        // Else a new client would be given the connection of the one that it replaces.
        'grpc.use_local_subchannel_pool': 1,
        'grpc.initial_reconnect_backoff_ms': RECONNECT_MS.first,
        'grpc.min_reconnect_backoff_ms': RECONNECT_MS.first,
        'grpc.max_reconnect_backoff_ms': RECONNECT_MS.most,
      },
    })
  }

  /** Runs `work` with a service of the member. It must not throw: etcd3 would take the connection down. */
  async with<Value>(
    name: ServiceName,
    token: string | undefined,
    work: (service: Service, metadata: Metadata) => Value | Promise<Value>,
  ): Promise<Value> {
    return this.pool.withConnection(name, ({ client, metadata }) => {
      const own: Metadata = metadata.clone()
      own.set('hasleader', 'true')
      if (token !== undefined) own.set('token', token)
      // Generated clients have their methods from a file that is read at run time.
      return work(client as unknown as Service, own)
    })
  }
}

function createGrpcTransport({ clock }: Pick<GrpcStoreParts, 'clock'>): Transport {
  const members = new Map<string, Member>()
  const memberOf = (endpoint: string): Member => {
    const member = members.get(endpoint) ?? new Member(endpoint)
    members.set(endpoint, member)
    return member
  }
  /** A connection without an answer may be dead at the other end, so new calls take another one. Calls that run on it may go on. */
  const replace = (endpoint: string, silent: Member): void => {
    if (members.get(endpoint) !== silent) return
    members.delete(endpoint)
    silent.close()
  }
  return {
    way: 'gRPC of etcd3',
    encodeBytes: (bytes) => bytes,
    beginsCut: false,
    ask: async ({ endpoint, path, message, token, limitMs, patience, signals }) => {
      const [service, method] = METHODS[path] ?? []
      if (service === undefined || method === undefined) throw new TypeError(`No gRPC method for ${path}`)
      let call: Call | undefined
      const stopListening = onAbort(signals, () => call?.cancel())
      const member = memberOf(endpoint)
      const answer = member.with(service, token, (client, metadata) => {
        const { promise, resolve } = Promise.withResolvers<Outcome<WireObject>>()
        // gRPC compares it with the date.
        const options = { deadline: clock.now() + (patience?.longestMs ?? limitMs) + DEADLINE_SLACK_MS }
        const send = client[method]?.bind(client)
        call = send?.(message, metadata, options, (error, value) => {
          resolve(error === null ? { kind: 'done', value: value ?? {} } : toVerdict(error))
        })
        if (signals.some((signal) => signal?.aborted === true)) call?.cancel()
        return promise
      })
      try {
        const outcome = await awaitAnswer(answer, clock, { limitMs, patience })
        if (outcome !== undefined) return outcome
        replace(endpoint, member)
        return silence(limitMs)
      } catch (error) {
        return toVerdict(error)
      } finally {
        call?.cancel()
        stopListening()
      }
    },
    open: async (request) => {
      const { endpoint, token } = request
      const member = memberOf(endpoint)
      try {
        const call = await member.with('Watch', token, (client, metadata) =>
          // A stream must not be taken for a promise, and its error comes later.
          ({ stream: startWatch(client, metadata, request.message) }),
        )
        const onSilent = (): void => replace(endpoint, member)
        return { kind: 'done', value: createStream(call.stream, request, onSilent) }
      } catch (error) {
        return toVerdict(error)
      }
    },
    close: () => {
      for (const member of members.values()) member.close()
      members.clear()
    },
  }
}

function startWatch(client: Service, metadata: Metadata, message: object): WatchCall {
  const watching = client as unknown as WatchClient
  const { path, requestSerialize } = watching.watch
  const stream = watching.makeBidiStreamRequest(path, requestSerialize, decodeWatchMessage, metadata)
  // Node's streams take 16 messages ahead, of up to 64 MiB each, from a watch that nobody reads.
  if (stream._readableState !== undefined) stream._readableState.highWaterMark = MESSAGES_AHEAD
  // The reader has left already, so no caller needs to learn that the connection broke.
  stream.on('error', () => undefined)
  stream.write(message)
  return stream
}

/** @param onSilent The stream was left before anything came. */
function createStream(call: WatchCall, { signal }: StreamRequest, onSilent: () => void): MessageStream {
  const messages = call[Symbol.asyncIterator]()
  let heard = false
  let cancelled = false
  const cancel = (): void => {
    if (cancelled) return
    cancelled = true
    stopListening()
    call.cancel()
    if (!heard) onSilent()
  }
  const stopListening = onAbort([signal], cancel)
  return {
    next: async () => {
      if (cancelled) return undefined
      try {
        const message = await messages.next()
        heard = true
        return cancelled || message.done === true ? undefined : [{ result: message.value }]
      } catch (error) {
        heard = true
        if (cancelled) return undefined
        const { code, details } = error as Partial<GrpcError>
        if (typeof code !== 'number') throw error
        return [{ error: { code, message: details ?? '' } }]
      }
    },
    cancel,
  }
}

/** What a failure of gRPC means. */
function toVerdict(error: unknown): Verdict {
  const { code, details = '' } = (toObject(error) ?? {}) as Partial<GrpcError>
  if (typeof code !== 'number') return { kind: 'unknown', error: unavailable(error) }
  if (NOT_SENT.some((text) => details.startsWith(text)))
    return { kind: 'not_done', error: isUntrusted(details) ? untrusted(error) : unavailable(error) }
  if (isTooLargeMessage({ code, message: details })) return { kind: 'unknown', error: malformed(error) }
  const verdict = judge({ code, message: details })
  return verdict.kind === 'refused' && verdict.error.code === 'ERR_STORE_PROTOCOL'
    ? { kind: 'refused', error: malformed(error) }
    : verdict
}
