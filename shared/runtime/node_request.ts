/**
 * Requests of `node:http` as handlers read them. No `Request` is made: undici's costs twice what Node takes for everything else (measured
 * on Node 24 with bodies of 480 bytes: 70 µs a request).
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { joinBytes } from '#shared/bytes/bytes.ts'
import type { HandlerHeaders, HandlerRequest } from '#shared/handler.ts'
import { readTarget } from './node_strict.ts'
import { LINGER_BOUNDS, type ArrivingBody, type LingerBounds } from './lingering.ts'

/** What `Host` may hold; with anything else in it an address could not be parsed. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i
/** Stands in the address of a request that names no host. Nothing is decided by it. */
const NO_HOST = 'localhost'

/** A request and its body. A class, because every request makes one. */
export class NodeRequest implements HandlerRequest, ArrivingBody {
  readonly headers: HandlerHeaders
  readonly #message: IncomingMessage
  readonly #response: ServerResponse
  /** A message loses its socket when its answer is out. */
  readonly #socket: Socket
  readonly #bounds: LingerBounds
  #url: string | undefined
  #abort: AbortController | undefined
  #body: ReadableStream<Uint8Array> | undefined
  #isRead = false

  constructor(message: IncomingMessage, response: ServerResponse, bounds: LingerBounds = LINGER_BOUNDS) {
    this.#message = message
    this.#response = response
    this.#socket = message.socket
    this.#bounds = bounds
    this.headers = new MessageHeaders(message)
  }

  get method(): string {
    return this.#message.method ?? 'GET'
  }

  get url(): string {
    this.#url ??= urlOf(this.#message)
    return this.#url
  }

  get peer(): string | undefined {
    return this.#socket.remoteAddress
  }

  get signal(): AbortSignal {
    this.#abort ??= abortWhenLeft(this.#response)
    return this.#abort.signal
  }

  get body(): ReadableStream<Uint8Array> | null {
    if (this.#hasNoBody) return null
    this.#body ??= streamOf(this.#message)
    return this.#body
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    if (this.#hasNoBody) return Promise.resolve(new ArrayBuffer(0))
    if (this.#isRead || this.#body !== undefined)
      return Promise.reject(new TypeError('The body has already been read'))
    this.#isRead = true
    return bytesOf(this.#message)
  }

  get isOver(): boolean {
    return this.#message.complete || this.#socket.destroyed
  }

  /** A client that goes on sending beyond the bounds loses its connection. */
  takeRest(): Promise<void> {
    const message = this.#message
    const { bytes, ms } = this.#bounds
    return new Promise((resolve) => {
      let taken = 0
      const finish = (): void => {
        clearTimeout(timer)
        message.off('data', count)
        if (!this.isOver) this.#response.once('finish', () => this.#socket.destroy())
        resolve()
      }
      const count = ({ length }: Uint8Array): void => {
        taken += length
        if (taken >= bytes) finish()
      }
      const timer = setTimeout(finish, ms)
      if (this.isOver) return finish()
      message.on('data', count)
      message.once('end', finish)
      message.once('close', finish)
      message.resume()
    })
  }

  get #hasNoBody(): boolean {
    return this.#message.method === 'GET' || this.#message.method === 'HEAD'
  }
}

/** Headers of a message, as Node has parsed them. */
class MessageHeaders implements HandlerHeaders {
  readonly #message: IncomingMessage

  constructor(message: IncomingMessage) {
    this.#message = message
  }

  get(name: string): string | null {
    const value = this.#message.headers[name.toLowerCase()]
    if (value === undefined) return null
    return typeof value === 'string' ? value : value.join(', ')
  }

  has(name: string): boolean {
    return this.#message.headers[name.toLowerCase()] !== undefined
  }

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (const name of Object.keys(this.#message.headers)) yield [name, this.get(name) ?? '']
  }
}

function urlOf({ headers, url = '/' }: IncomingMessage): string {
  const { host = NO_HOST } = headers
  // The second condition: a port above 65535, a number that is no address.
  const isHost = HOST.test(host) && URL.canParse(`http://${host}`)
  return `http://${isHost ? host : NO_HOST}${readTarget(url).target}`
}

function abortWhenLeft(response: ServerResponse): AbortController {
  const abort = new AbortController()
  const onClose = (): void => {
    if (!response.writableEnded) abort.abort()
  }
  if (response.destroyed) onClose()
  else response.once('close', onClose)
  return abort
}

/** Where the events of a message go. */
interface MessageReader {
  onData(chunk: Uint8Array): void
  onEnd(): void
  onBreak(reason: Error): void
}

/**
 * Starts to read a message.
 *
 * @returns A function that stops it. The message is left as it is then.
 */
function listen(message: IncomingMessage, { onData, onEnd, onBreak }: MessageReader): () => void {
  const breakOff = (): void => {
    stop()
    onBreak(message.errored ?? new Error('The sender closed the connection before the body was complete'))
  }
  const end = (): void => {
    // Closed is what every message is in the end.
    stop()
    onEnd()
  }
  const stop = (): void => {
    message.off('data', onData)
    message.off('end', end)
    message.off('error', breakOff)
    message.off('close', breakOff)
  }
  if (message.readableEnded || message.destroyed) breakOff()
  else message.on('data', onData).once('end', end).once('error', breakOff).once('close', breakOff)
  return stop
}

/** @throws {Error} When the sender goes away before the message is complete. */
export function bytesOf(message: IncomingMessage): Promise<ArrayBuffer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let length = 0
    const onData = (chunk: Uint8Array): void => {
      chunks.push(chunk)
      length += chunk.length
    }
    listen(message, { onData, onEnd: () => resolve(joinBytes(chunks, length).buffer), onBreak: reject })
  })
}

/** A message as a stream. To cancel it stops the reading; the connection stays. */
export function streamOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  let stop = (): void => undefined
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      stop = listen(message, {
        onData: (chunk) => {
          // Node's buffers are arrays of bytes with other methods.
          controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length))
          if ((controller.desiredSize ?? 0) <= 0) message.pause()
        },
        onEnd: () => controller.close(),
        onBreak: (reason) => controller.error(reason),
      })
    },
    pull: () => {
      message.resume()
    },
    cancel: () => stop(),
  })
}
