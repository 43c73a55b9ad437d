/**
 * Sockets of streams, without what `node:http` keeps for a message: parser, request, response, and the listeners that connect them.
 *
 * A stream may be silent for an hour, and there are ten thousand of them. So once the head of its answer is out, its message is over for
 * `node:http`, and the socket belongs to the stream. When the stream has ended, `node:http` gets the connection back with the next request.
 *
 * @module
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { KEEP_ALIVE_TIMEOUT_MS, TAKEN_LIMIT_MS } from './server_limits.ts'

/** The stream that a socket belongs to. */
export interface SocketOwner {
  /** The socket is the owner's alone from now on. It frames what it writes, and gives the socket back with {@link StreamSockets.end}. */
  taken(): void
  /** The socket takes more. */
  drained(): void
  /** The client has left. */
  left(): void
}

/** Whether a socket can be taken. `busy`: not before it has drained. */
export type Taking = 'begun' | 'busy' | 'refused'

const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1')

/** The sockets that streams have taken from a server. */
export class StreamSockets {
  readonly #server: Server
  /** `undefined`: the stream has ended, and the next request has not come yet. */
  readonly #owners = new Map<Socket, SocketOwner | undefined>()
  /** Bytes that had been read of a connection when it was given back. */
  readonly #begins = new WeakMap<Socket, number>()
  /** The same functions for all sockets. A socket passes itself as `this`. */
  readonly #listeners: Readonly<Record<'data' | 'drain' | 'end' | 'close' | 'error', SocketListener>>

  constructor(server: Server) {
    const owners = this.#owners
    const onAhead = (socket: Socket, bytes: Uint8Array): void => this.#keep(socket, bytes)
    this.#server = server
    this.#listeners = {
      data(bytes) {
        onAhead(this, bytes)
      },
      drain() {
        owners.get(this)?.drained()
      },
      end() {
        leave(owners.get(this))
        this.end()
      },
      close() {
        const owner = owners.get(this)
        owners.delete(this)
        leave(owner)
      },
      // What broke a connection is of no interest; that it is closed comes next.
      error: () => undefined,
    }
    function leave(owner: SocketOwner | undefined): void {
      owner?.left()
    }
  }

  /**
   * Takes the socket of an answer whose head is out and whose body is chunked. When `begun`, the owner may go on writing to the socket, and
   * must not use the response again.
   *
   * It is `refused` where the connection ends with the answer, and where `node:http` may have read a part of the next request: that part
   * would be lost.
   */
  take(response: ServerResponse, owner: SocketOwner): Taking {
    const { req, socket } = response
    if (socket === null || socket.destroyed || socket.writableEnded) return 'refused'
    if (!response.chunkedEncoding || !response.shouldKeepAlive) return 'refused'
    if (socket.bytesRead !== (this.#begins.get(socket) ?? 0) + lengthOf(req)) return 'refused'
    if (socket.writableLength > 0 || socket.writableNeedDrain || response.writableNeedDrain) return 'busy'
    // With a listener for data, the parser reads the socket no more.
    socket.removeAllListeners('data')
    socket.on('data', this.#listeners.data)
    // It comes in this turn, before anything is read. The response tells of a socket that is closed already.
    response.once('finish', () => {
      if (!socket.destroyed) this.#strip(socket, owner)
    })
    // An end without a last chunk: the stream goes on.
    response.chunkedEncoding = false
    response.end()
    return 'begun'
  }

  /** Ends the chunked body on a socket that was taken. */
  end(socket: Socket): void {
    this.#owners.set(socket, undefined)
    const isTaken = (): void => {
      clearTimeout(limit)
      if (!socket.destroyed) this.#rest(socket)
    }
    const limit = setTimeout(() => socket.destroy(), TAKEN_LIMIT_MS)
    limit.unref()
    socket.write(LAST_CHUNK, isTaken)
  }

  /** Closes all of them at once. */
  destroyAll(): void {
    for (const socket of this.#owners.keys()) socket.destroy()
  }

  /** Takes everything off a socket that `node:http` has put there. */
  #strip(socket: Socket, owner: SocketOwner): void {
    // What it does when a connection is closed: it frees the parser, which it uses again.
    for (const forget of socket.listeners('close')) Reflect.apply(forget, socket, [])
    socket.removeAllListeners()
    socket.setTimeout(0)
    this.#owners.set(socket, owner)
    const { data, drain, end, close, error } = this.#listeners
    socket.on('data', data).on('drain', drain).on('end', end).on('close', close).on('error', error)
    owner.taken()
  }

  /** Keeps what a client sends before its stream has ended, and reads no more of it. */
  #keep(socket: Socket, bytes: Uint8Array): void {
    socket.pause()
    socket.unshift(bytes)
    if (this.#owners.get(socket) === undefined && socket.writableLength === 0) this.#giveBack(socket)
  }

  /** Waits for the next request, as long as `node:http` does. */
  #rest(socket: Socket): void {
    if (socket.readableLength > 0) return this.#giveBack(socket)
    socket.setTimeout(KEEP_ALIVE_TIMEOUT_MS, () => socket.destroy())
  }

  #giveBack(socket: Socket): void {
    this.#owners.delete(socket)
    this.#begins.set(socket, socket.bytesRead - socket.readableLength)
    socket.setTimeout(0)
    socket.removeAllListeners()
    this.#server.emit('connection', socket)
    socket.resume()
  }
}

type SocketListener = (this: Socket, bytes: Uint8Array) => void

/** Spaces and line ends of a request line, and of a header as clients write it. */
const LINE_BYTES = ' '.length + ' HTTP/1.1\r\n'.length
const HEADER_BYTES = ': \r\n'.length
const HEAD_END_BYTES = '\r\n'.length

/** Bytes of a request in its usual form; `NaN` where that cannot be known. */
function lengthOf({ method = '', url = '', rawHeaders, headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined) return Number.NaN
  let bytes = method.length + url.length + LINE_BYTES + HEAD_END_BYTES
  for (const text of rawHeaders) bytes += text.length + HEADER_BYTES / 2
  return bytes + Number(headers['content-length'] ?? 0)
}
