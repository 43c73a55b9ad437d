/**
 * etcd's messages over gRPC, spoken by ourselves: HTTP/2 of the runtime, one stream for each call and each watch, one connection to each
 * member. Cheaper for etcd and for us than its JSON gateway.
 *
 * A call was certainly not done where its stream never left, or where the member says that it did not begin with it. Whatever else happens to
 * a stream that left: it may have been done.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { Http2Connection, Http2Fault, Http2Fields, Http2Stream } from '#shared/runtime/http2_like.ts'
import type { Clock } from '#shared/time/clock.ts'
import {
  givenUp,
  isTooLargeMessage,
  judge,
  judgeForeign,
  silence,
  TOO_LARGE_MESSAGE,
  unavailable,
  type GatewayError,
  type Verdict,
} from './errors.ts'
import { createConnections, type Connections, type ConnectionsParts } from './grpc_connections.ts'
import { frameMessage, MessageReader, MessageTooLarge } from './grpc_frames.ts'
import { METHODS, WATCH, type GrpcMethod } from './grpc_messages.ts'
import { onAbort } from './on_abort.ts'
import { goesOn } from './patience.ts'
import { decodeWatchMessage } from './packed_events.ts'
import { decodeMessage } from './protobuf.ts'
import type { Exchange, MessageStream, Outcome, StreamRequest, Transport } from './transport.ts'
import { PART_BYTES, WatchParts } from './watch_parts.ts'
import { malformed, type WireObject } from './wire.ts'

/** Largest message: as over the gateway, and several times what etcd sends. Of a longer one nothing is kept. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024
/** Bytes of messages of a watch that are taken before the reader asks for them: enough to wait for neither. */
const AHEAD_BYTES = 512 * 1024
/** etcd's deadline is later than ours, so that our time limit decides. */
const DEADLINE_SLACK_MS = 1_000
/** A watch that was left earlier, before anything came, says nothing about its connection. */
const SILENT_MS = 1_000
/** gRPC's codes. */
const OK = 0
const UNKNOWN = 2

/** Makes the transport. Nothing is connected before the first call. */
export function createGrpcTransport(parts: ConnectionsParts): Transport {
  const connections = createConnections(parts)
  return {
    way: 'gRPC',
    encodeBytes: (bytes) => bytes,
    beginsCut: false,
    ask: (exchange) => ask(connections, parts.clock, exchange),
    open: async (request) => {
      const connected = await connections.get(request.endpoint)
      if (connected.kind !== 'done') return connected
      if (request.signal.aborted) return { kind: 'not_done', error: givenUp() }
      const beganAt = parts.clock.monotonic()
      const onSilent = (): void => {
        if (parts.clock.monotonic() - beganAt >= SILENT_MS)
          connections.suspect(request.endpoint, connected.value)
      }
      return begun(() => new WatchStream(connected.value, request, onSilent))
    },
    close: () => connections.close(),
  }
}

async function ask(connections: Connections, clock: Clock, exchange: Exchange): Promise<Outcome<WireObject>> {
  const { endpoint, path, limitMs, signals } = exchange
  const method = METHODS[path]
  if (method === undefined) throw new TypeError(`No gRPC method for ${path}`)
  const connecting = connections.get(endpoint)
  // Awaited only where it must be: that is a turn of each call.
  const connected = connecting instanceof Promise ? await connecting : connecting
  if (connected.kind !== 'done') return connected
  if (signals.some((signal) => signal?.aborted === true)) return { kind: 'not_done', error: givenUp() }
  const started = begun(() => new UnaryCall(connected.value, method, exchange))
  if (started.kind !== 'done') return started
  const call = started.value
  const stopListening = onAbort(signals, () => call.giveUp({ kind: 'unknown', error: givenUp() }))
  const startedAt = clock.monotonic()
  let isDone = false
  const onLimit = async (): Promise<void> => {
    const isPatient =
      exchange.patience !== undefined && (await goesOn(exchange, clock.monotonic() - startedAt))
    if (isDone) return
    if (isPatient) stopTimer = clock.after(limitMs, () => void onLimit())
    else {
      call.giveUp(silence(limitMs))
      connections.suspect(endpoint, connected.value)
    }
  }
  let stopTimer = clock.after(limitMs, () => void onLimit())
  const outcome = await call.outcome
  isDone = true
  stopTimer()
  stopListening()
  return outcome
}

/** Begins a stream. @returns That it never left, where the connection has just ended. */
function begun<Value>(begin: () => Value): Outcome<Value> {
  try {
    return { kind: 'done', value: begin() }
  } catch (error) {
    return { kind: 'not_done', error: unavailable(error) }
  }
}

function fieldsOf(token: string | undefined): Record<string, string> {
  return {
    'content-type': 'application/grpc',
    te: 'trailers',
    hasleader: 'true',
    ...(token !== undefined && { token }),
  }
}

/** What a member says about an answer besides its messages. */
class Answer {
  /** HTTP's, once the head has come. */
  #httpStatus: number | undefined
  #isGrpc = false

  /** Whether its head says that it does not come from gRPC. */
  get isForeign(): boolean {
    return this.#httpStatus !== undefined && !(this.#httpStatus === 200 && this.#isGrpc)
  }

  /** How the call ended, in gRPC's words. */
  status: GatewayError | undefined

  head(httpStatus: number, fields: Http2Fields): void {
    this.#httpStatus = httpStatus
    this.#isGrpc = toText(fields['content-type']).startsWith('application/grpc')
  }

  trailers(fields: Http2Fields): void {
    const code = fields['grpc-status']
    if (code === undefined) return
    const digits = toText(code)
    this.status = {
      code: /^\d{1,3}$/.test(digits) ? Number(digits) : UNKNOWN,
      message: decodePercent(toText(fields['grpc-message'])),
    }
  }

  /** What an end without gRPC's status means. */
  broken(fault: Http2Fault | undefined): Verdict {
    if (fault?.isUntouched === true) return { kind: 'not_done', error: unavailable(fault.cause) }
    if (this.#httpStatus !== undefined && this.isForeign) return judgeForeign(this.#httpStatus)
    const cause = fault?.cause ?? new Error('The answer has no end')
    return { kind: 'unknown', error: unavailable(cause) }
  }
}

/** A call of one message and one answer. It is a class, because one is made for every call. */
class UnaryCall {
  readonly outcome: Promise<Outcome<WireObject>>
  readonly #settle: (outcome: Outcome<WireObject>) => void
  readonly #method: GrpcMethod
  readonly #stream: Http2Stream
  readonly #answer = new Answer()
  readonly #reader = new MessageReader(MAX_MESSAGE_BYTES)
  #message: Uint8Array | undefined
  #isSettled = false

  /** @throws {Error} Where the connection takes no stream. */
  constructor(
    connection: Http2Connection,
    method: GrpcMethod,
    { message, token, limitMs, patience }: Exchange,
  ) {
    const { promise, resolve } = Promise.withResolvers<Outcome<WireObject>>()
    this.outcome = promise
    this.#settle = resolve
    this.#method = method
    const fields = {
      ...fieldsOf(token),
      'grpc-timeout': `${(patience?.longestMs ?? limitMs) + DEADLINE_SLACK_MS}m`,
    }
    const body = frameMessage(method.request, message)
    this.#stream = connection.request(
      { path: method.path, fields, body, staysOpen: false },
      {
        onHead: (status, head) => this.#answer.head(status, head),
        onData: (bytes) => this.#add(bytes),
        onTrailers: (trailers) => {
          this.#answer.trailers(trailers)
          // The end may come a turn later. The message has come, except where a runtime tells of it later.
          if (this.#answer.status?.code !== OK || this.#message !== undefined) this.#end(undefined)
        },
        onEnd: (fault) => this.#end(fault),
      },
    )
  }

  /** Ends the call with an outcome of the caller, unless it has ended. */
  giveUp(outcome: Outcome<WireObject>): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#stream.cancel()
    this.#settle(outcome)
  }

  #add(bytes: Uint8Array): void {
    if (this.#isSettled || this.#answer.isForeign) return
    try {
      for (const message of this.#reader.add(bytes)) this.#message ??= message
    } catch (error) {
      // The member may have done what it was asked for.
      this.giveUp({ kind: 'unknown', error: isAvisoError(error) ? error : malformed(error) })
    }
  }

  #end(fault: Http2Fault | undefined): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#settle(this.#toOutcome(fault))
  }

  #toOutcome(fault: Http2Fault | undefined): Outcome<WireObject> {
    const { status } = this.#answer
    if (status === undefined) return this.#answer.broken(fault)
    if (status.code !== OK) return toVerdict(status)
    if (this.#message === undefined)
      return { kind: 'unknown', error: malformed(new Error('An answer without a message')) }
    try {
      return { kind: 'done', value: decodeMessage(this.#method.response, this.#message) }
    } catch (error) {
      return { kind: 'unknown', error: malformed(error) }
    }
  }
}

/** What an error of gRPC means. */
function toVerdict(status: GatewayError): Verdict {
  if (isTooLargeMessage(status)) return { kind: 'unknown', error: malformed(new Error(status.message)) }
  return judge(status)
}

/** What comes after the messages of a watch: nothing, an error of etcd, or a fault. */
interface StreamEnd {
  readonly message?: WireObject
  readonly fault?: unknown
}

/** An open watch. */
class WatchStream implements MessageStream {
  readonly #stream: Http2Stream
  readonly #answer = new Answer()
  readonly #reader = new MessageReader(MAX_MESSAGE_BYTES, {
    bytes: PART_BYTES,
    begin: () => new WatchParts(),
  })
  readonly #onSilent: () => void
  readonly #stopListening: () => void
  #messages: WireObject[] = []
  #aheadBytes = 0
  #isPaused = false
  #end: StreamEnd | undefined
  #wake: (() => void) | undefined
  #isHeard = false
  #isCancelled = false

  /**
   * @param onSilent The stream was left before anything came.
   * @throws {Error} Where the connection takes no stream.
   */
  constructor(connection: Http2Connection, { message, token, signal }: StreamRequest, onSilent: () => void) {
    this.#onSilent = onSilent
    const body = frameMessage(WATCH.request, message)
    this.#stream = connection.request(
      { path: WATCH.path, fields: fieldsOf(token), body, staysOpen: true },
      {
        onHead: (status, head) => {
          this.#isHeard = true
          this.#answer.head(status, head)
        },
        onData: (bytes) => this.#add(bytes),
        onTrailers: (trailers) => this.#answer.trailers(trailers),
        onEnd: (fault) => this.#finish(this.#toEnd(fault)),
      },
    )
    this.#stopListening = onAbort([signal], () => this.cancel())
  }

  async next(): Promise<readonly WireObject[] | undefined> {
    if (this.#isCancelled) return undefined
    if (this.#messages.length === 0 && this.#end === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      if (this.#isPaused) {
        this.#isPaused = false
        this.#stream.resume()
      }
      await promise
      if (this.#isCancelled) return undefined
    }
    if (this.#messages.length > 0) {
      const messages = this.#messages
      this.#messages = []
      this.#aheadBytes = 0
      return messages
    }
    const { message, fault } = this.#end ?? {}
    this.#end = {}
    if (fault !== undefined) throw fault
    return message === undefined ? undefined : [message]
  }

  cancel(): void {
    if (this.#isCancelled) return
    this.#isCancelled = true
    this.#stopListening()
    this.#messages = []
    this.#stream.cancel()
    if (!this.#isHeard) this.#onSilent()
    this.#wake?.()
  }

  #add(bytes: Uint8Array): void {
    if (this.#isCancelled || this.#end !== undefined || this.#answer.isForeign) return
    this.#isHeard = true
    try {
      for (const message of this.#reader.add(bytes)) {
        this.#messages.push({ result: decodeWatchMessage(message) })
        this.#aheadBytes += message.length
      }
    } catch (error) {
      this.#stream.cancel()
      this.#finish(
        error instanceof MessageTooLarge ? { message: { error: TOO_LARGE_MESSAGE } } : { fault: error },
      )
      return
    }
    if (this.#messages.length === 0) return
    if (this.#aheadBytes >= AHEAD_BYTES && !this.#isPaused) {
      this.#isPaused = true
      this.#stream.pause()
    }
    this.#wake?.()
  }

  #toEnd(fault: Http2Fault | undefined): StreamEnd {
    const { status } = this.#answer
    if (status === undefined) return { fault: this.#answer.broken(fault).error }
    return status.code === OK ? {} : { message: { error: status } }
  }

  #finish(end: StreamEnd): void {
    this.#isHeard = true
    this.#end ??= end
    this.#wake?.()
  }
}

/** The text of a field; nothing where it is absent or a list. */
function toText(field: unknown): string {
  return typeof field === 'string' || typeof field === 'number' ? String(field) : ''
}

/** Text of a `grpc-message`. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
