/**
 * Calls to a server of this machine at a Unix socket, over `node:http`, which Node, Deno and Bun have.
 *
 * @module
 */

import type { ClientRequest, IncomingMessage } from 'node:http'
import process from 'node:process'
import { AvisoError } from '#shared/errors.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import type { FetchLike } from './fetch_like.ts'
import { bytesOf, streamOf } from './node_request.ts'
import { notSentError } from './plain_fetch.ts'

/** A client of one server. */
export interface LocalClient {
  /**
   * Sends a request on as it is, and gives the answer as it comes.
   *
   * @param more Headers that replace those of the request.
   * @throws {AvisoError} `ERR_STORE_UNAVAILABLE` where the server does not answer.
   */
  send(request: HandlerRequest, more?: Readonly<Record<string, string>>): Promise<Answer>
  /** POST for calls to a store. The host of an address does not count. */
  readonly fetch: FetchLike
}

/** Answers up to this many bytes are sent whole, as their server sent them; longer ones piece by piece. */
const WHOLE_BYTES = 1_048_576
/** What is about one connection, and not about the message (RFC 9110, section 7.6.1); `expect` was met by the first server. */
const OF_ONE_CONNECTION: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]

/** How a call is made. */
interface Call {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Writes the body. */
  readonly write: (request: ClientRequest) => void
}

/** Makes the client. Nothing is opened before the first call. */
export function createLocalClient(socketPath: string): LocalClient {
  // Not imported: see node_serve.ts.
  const { Agent, request } = process.getBuiltinModule('node:http')
  const agent = new Agent({ keepAlive: true })
  const call = ({ method, path, headers, signal, write }: Call): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(notSentError(signal.reason))
      const sent = request({ socketPath, agent, method, path, headers, joinDuplicateHeaders: true })
      const abort = (): void => void sent.destroy(new Error('The caller has left'))
      signal.addEventListener('abort', abort, { once: true })
      sent.once('close', () => signal.removeEventListener('abort', abort))
      sent.once('response', resolve)
      // It stays, because a connection may break after the answer has begun.
      sent.on('error', reject)
      write(sent)
    })
  return {
    send: async (received, more = {}) => {
      const { method, signal, body } = received
      const headers = { ...headersOf(received), ...more }
      const write = (sent: ClientRequest): void => void writeBody(sent, body)
      try {
        return await toAnswer(
          await call({ method, path: targetOf(received.url), headers, signal, write }),
          method,
        )
      } catch (cause) {
        throw new AvisoError(
          'ERR_STORE_UNAVAILABLE',
          'Another worker does not answer; try again in a moment',
          {
            cause,
          },
        )
      }
    },
    fetch: async (url, { headers, body, signal }) => {
      const bytes = Buffer.from(body)
      const message = await call({
        method: 'POST',
        path: targetOf(url),
        headers: { ...headers, host: 'localhost', 'content-length': String(bytes.length) },
        signal,
        write: (sent) => sent.end(bytes),
      }).catch((error: unknown) => {
        throw isNotConnected(error) ? notSentError(error) : error
      })
      const pieces = message[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
      message.on('error', () => undefined)
      return {
        status: message.statusCode ?? 0,
        read: async () => {
          const piece = await pieces.next()
          return piece.done === true ? undefined : piece.value
        },
        cancel: () => void message.destroy(),
      }
    },
  }
}

/** Whether there was no server at the path. */
function isNotConnected(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')
  )
}

/** The target of a request as the client sent it: path and query. */
function targetOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('//') + 2)
  return start < 0 ? '/' : url.slice(start)
}

function headersOf({ headers }: HandlerRequest): Readonly<Record<string, string>> {
  const entries = headers[Symbol.iterator]?.()
  const list = entries === undefined ? [] : [...{ [Symbol.iterator]: () => entries }]
  return Object.fromEntries(list.filter(([name]) => !OF_ONE_CONNECTION.includes(name.toLowerCase())))
}

/** Writes a body at the speed at which it is taken. What is left of one that is not wanted any more stays with its sender. */
async function writeBody(sent: ClientRequest, body: HandlerRequest['body']): Promise<void> {
  const reader = body?.getReader()
  const leave = (): void => void reader?.cancel().catch(() => undefined)
  sent.once('close', leave)
  try {
    for (;;) {
      const piece = await reader?.read()
      if (piece === undefined || piece.done) break
      if (!sent.write(piece.value)) await drained(sent)
      if (sent.destroyed) return
    }
    sent.end()
  } catch (error) {
    sent.destroy(error instanceof Error ? error : new Error('The body ended too early'))
  } finally {
    sent.off('close', leave)
  }
}

function drained(sent: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      sent.off('drain', done)
      sent.off('close', done)
      resolve()
    }
    sent.once('drain', done)
    sent.once('close', done)
  })
}

async function toAnswer(message: IncomingMessage, method: string): Promise<Answer> {
  const { 'content-length': length, ...rest } = message.headers
  const headers = Object.fromEntries(
    Object.entries(rest).flatMap(([name, value]) =>
      value === undefined || OF_ONE_CONNECTION.includes(name)
        ? []
        : [[name, typeof value === 'string' ? value : value.join(', ')]],
    ),
  )
  const status = message.statusCode ?? 0
  const answer = { status, headers }
  const isWhole = length !== undefined && Number(length) <= WHOLE_BYTES
  if (method === 'HEAD' || Number(length) === 0) {
    message.resume()
    return { ...answer, body: null }
  }
  if (isWhole) return { ...answer, body: new Uint8Array(await bytesOf(message)) }
  const body = streamOf(message)
  return { ...answer, body: endingConnection(body, message) }
}

/** The same stream, which ends the connection where its reader leaves before its end. */
function endingConnection(
  body: ReadableStream<Uint8Array>,
  message: IncomingMessage,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const piece = await reader.read()
        if (piece.done) controller.close()
        else controller.enqueue(piece.value)
      },
      cancel: () => void message.destroy(),
    },
    { highWaterMark: 0 },
  )
}
