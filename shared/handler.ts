/**
 * The handler: the form of every service, from a request to an answer.
 *
 * A standard `Request` is a {@link HandlerRequest}, and {@link toFetchHandler} makes a standard Fetch handler from a handler. The adapters
 * in `shared/runtime` make no `Request` and no `Response` where these are expensive.
 *
 * @module
 */

import { toReadableStream, type ByteSource } from '#shared/bytes/byte_source.ts'

/** The part of a request that a handler reads. */
export interface HandlerRequest {
  readonly method: string
  /** Absolute URL. Its path is as the client sent it. */
  readonly url: string
  readonly headers: HandlerHeaders
  /** Aborted when the client leaves before it has its answer. */
  readonly signal: AbortSignal
  /** A handler that has read enough cancels it, and the server handles the rest. `null` for a method without a body. */
  readonly body: ReadableStream<Uint8Array> | null
  /** The whole body. A handler reads either this or `body`, once. */
  arrayBuffer(): Promise<ArrayBuffer>
  /** Address at the other end of the connection; absent when the runtime does not know it. */
  readonly peer?: string | undefined
}

/** Headers of a request. Names in any case; several of one name are joined with a comma and a space. */
export type HandlerHeaders = Pick<Headers, 'get' | 'has'> & Partial<Iterable<[name: string, value: string]>>

/** The answer of a handler. */
export interface Answer {
  readonly status: number
  /** Names in lower case. The length is not among them, because the adapter knows it. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: AnswerBody
}

/** Text and bytes are sent with their length, streams and sources as they come. */
export type AnswerBody = string | Uint8Array | ReadableStream<Uint8Array> | ByteSource | null

/** Answers requests. */
export type Handler = (request: HandlerRequest) => Promise<Answer>

/** A handler in the form of the Fetch standard, as edge platforms load it. */
export type FetchHandler = (request: Request) => Promise<Response>

/** Whether a body comes piece by piece. */
export function isStreamed(body: AnswerBody): body is ReadableStream<Uint8Array> | ByteSource {
  return body !== null && typeof body === 'object' && !(body instanceof Uint8Array)
}

/** Cancels a body that will not be read. */
export function cancelBody(body: AnswerBody): void {
  if (!isStreamed(body)) return
  if (body instanceof ReadableStream) body.cancel().catch(() => undefined)
  else body.cancel()
}

/** A streamed body as a web stream. */
export function toStream(body: ReadableStream<Uint8Array> | ByteSource): ReadableStream<Uint8Array> {
  return body instanceof ReadableStream ? body : toReadableStream(body)
}

/** The answer as a standard response. */
export function toResponse({ status, headers, body }: Answer): Response {
  return new Response(isStreamed(body) ? toStream(body) : toBodyInit(body), { status, headers })
}

/** The handler as a standard Fetch handler. */
export function toFetchHandler(handler: Handler): FetchHandler {
  return async (request) => toResponse(await handler(request))
}

/** The request as a standard one, which also tells the address at the other end. */
export function toRequest(request: HandlerRequest): Request {
  if (request instanceof Request) return request
  const { method, url, headers, signal, body, peer } = request
  const sent = body === null || method === 'GET' || method === 'HEAD' ? {} : { body, duplex: 'half' }
  const entries = headers[Symbol.iterator]?.()
  const list = entries === undefined ? [] : [...{ [Symbol.iterator]: () => entries }]
  const standard = new Request(url, { method, headers: list, signal, ...sent })
  return Object.defineProperty(standard, 'peer', { value: peer })
}

/** The types of the standard leave out bytes in shared memory. */
function toBodyInit(body: string | Uint8Array | null): string | Uint8Array<ArrayBuffer> | null {
  return body instanceof Uint8Array ? new Uint8Array(body) : body
}
