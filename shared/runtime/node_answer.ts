/**
 * Answers written to `node:http`: whole ones in one write, and what many listeners get framed once, to each socket as it is.
 *
 * `ServerResponse.write` frames every write anew, in three parts, and a web stream adds promises. Measured on Node 24, busy 2 cores, 1,000
 * listeners: 22 µs of processor time a delivery through both, 18 µs without the first, 14 µs without either.
 *
 * @module
 */

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ByteSink, ByteSource } from '#shared/bytes/byte_source.ts'
import { cancelBody, isStreamed, type Answer } from '#shared/handler.ts'
import type { ArrivingBody } from './lingering.ts'
import type { SocketOwner, StreamSockets } from './node_stream_sockets.ts'
import { TAKEN_LIMIT_MS } from './server_limits.ts'

/** Pieces of a source written before others get their turn: 1 MiB of a hub's chunks. */
const TURN_PIECES = 16

/** Larger pieces are not copied into a chunk: then the copy costs more than the three parts. */
const COPY_BYTES = 8 * 1024

/** What an answer waits for. */
export interface Waiting {
  /** The body of its request. The answer ends after it. */
  readonly received: ArrivingBody
  /** Take the sockets of sources; absent: these stay with `node:http`. */
  readonly sockets?: StreamSockets | undefined
}

/** Writes an answer. */
export function writeAnswer(
  { status, headers, body }: Answer,
  response: ServerResponse,
  waiting: Waiting,
): void {
  const { received } = waiting
  if (isStreamed(body)) {
    if (response.destroyed) return cancelBody(body)
    response.writeHead(status, { ...headers })
    if (response.req.method !== 'HEAD') return writeStream(body, response, waiting)
    cancelBody(body)
    response.end()
    return
  }
  const length = body === null ? undefined : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...headers, ...length })
  if (received.isOver) {
    response.end(body)
    return
  }
  if (body === null) response.flushHeaders()
  else response.write(body)
  void received.takeRest().then(() => response.end())
}

function writeStream(
  body: ReadableStream<Uint8Array> | ByteSource,
  response: ServerResponse,
  { received, sockets }: Waiting,
): void {
  if (body instanceof ReadableStream) readAll(body.getReader(), new Outlet(response, received))
  else new Outlet(response, received, sockets).read(body)
}

/** Reads a web stream and writes it, never more than one piece ahead of what the socket takes. */
function readAll(reader: ReadableStreamDefaultReader<Uint8Array>, outlet: Outlet): void {
  const onPiece = ({ done, value }: ReadableStreamReadResult<Uint8Array>): void => {
    if (done) outlet.close()
    else if (outlet.write(value)) read()
    else outlet.onceDrained(read)
  }
  const read = (): void => {
    reader.read().then(onPiece, (error: unknown) => outlet.error(error))
  }
  outlet.onGone = () => {
    reader.cancel().catch(() => undefined)
  }
  read()
}

/** The body of a response, and the sink of its source. A class, because there are ten thousand of them. */
class Outlet implements ByteSink, SocketOwner {
  /** `undefined` once the socket is taken from it. */
  #response: ServerResponse | undefined
  #received: ArrivingBody | undefined
  /** Absent: the socket stays with `node:http`. */
  #sockets: StreamSockets | undefined
  /** Set once the socket is the response's alone: it has its head, and does not wait for the answer to an earlier request. */
  #socket: Socket | undefined
  #source: ByteSource | undefined
  #isOpen = true
  #hasBegun = false
  #isPulling = false
  #isWanted = false
  /** The socket is being taken from the response. */
  #isMoving = false
  /** The socket was busy when it was to be taken. That is tried again after the next write. */
  #isLate = false
  /** What waits for the socket to take more. */
  #onDrained: (() => void) | undefined
  /** The client has left before the end. */
  onGone: (() => void) | undefined

  constructor(response: ServerResponse, received: ArrivingBody, sockets?: StreamSockets) {
    this.#response = response
    this.#received = received
    this.#sockets = sockets
    response.once('close', () => {
      if (this.#response !== undefined) this.left()
    })
  }

  /** Writes what a source makes. */
  read(source: ByteSource): void {
    this.#source = source
    source.open(this)
    // A first piece has asked for the next already.
    if (!this.#hasBegun) this.pull()
  }

  left(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#onDrained = undefined
    this.onGone?.()
    this.#source?.cancel()
  }

  /** @returns Whether the socket takes more at once. */
  write(bytes: Uint8Array): boolean {
    if (!this.#isOpen) return false
    this.#hasBegun = true
    // A chunk of no bytes would be the end of the body.
    if (bytes.length === 0) return true
    if (this.#socket !== undefined) {
      if (this.#isLate) this.#moveSoon()
      return writeChunk(this.#socket, bytes)
    }
    const response = this.#response
    if (response === undefined) return false
    const isTaken = response.write(bytes)
    if (!response.chunkedEncoding || response.socket === null) return isTaken
    this.#socket = response.socket
    if (this.#sockets !== undefined) this.#moveSoon()
    return isTaken
  }

  /** Calls `task` when the socket takes more; not after the end. */
  onceDrained(task: () => void): void {
    if (!this.#isOpen) return
    this.#onDrained = task
    // A socket that is taken tells by itself.
    if (this.#response !== undefined) this.#awaitDrain(this.#response)
  }

  #awaitDrain(response: ServerResponse): void {
    const writable = response.writableNeedDrain ? response : (this.#socket ?? response)
    writable.once('drain', () => this.drained())
  }

  drained(): void {
    const task = this.#onDrained
    this.#onDrained = undefined
    task?.()
  }

  #moveSoon(): void {
    this.#isLate = false
    setImmediate(move, this)
  }

  /** Takes the socket from the response, where that is possible. */
  move(): void {
    const response = this.#response
    if (response === undefined || !this.#isOpen || this.#received?.isOver !== true) return
    switch (this.#sockets?.take(response, this)) {
      case 'begun':
        this.#isMoving = true
        break
      case 'busy':
        this.#isLate = true
        break
      default:
        this.#sockets = undefined
    }
  }

  taken(): void {
    this.#response = undefined
    this.#received = undefined
    this.#isMoving = false
    if (!this.#isOpen) this.close()
    // It may have drained in the meantime, and told nobody.
    else if (this.#socket?.writableNeedDrain === false) this.drained()
  }

  /**
   * Asks the source for more. It may answer at once, and its answer asks for more: that is noted and done here, one after the other and not
   * one inside the other, and for a while only.
   */
  pull(): void {
    this.#isWanted = true
    if (this.#isPulling) return
    this.#isPulling = true
    for (let pieces = 0; this.#isWanted && this.#isOpen; pieces++) {
      if (pieces === TURN_PIECES) {
        setImmediate(pull, this)
        break
      }
      this.#isWanted = false
      this.#source?.pull()
    }
    this.#isPulling = false
  }

  enqueue(bytes: Uint8Array): void {
    if (this.write(bytes)) this.pull()
    else this.onceDrained(() => this.pull())
  }

  close(): void {
    this.#isOpen = false
    this.#onDrained = undefined
    if (this.#isMoving) return
    const response = this.#response
    if (response === undefined) {
      if (this.#socket !== undefined) this.#sockets?.end(this.#socket)
    } else if (this.#received?.isOver !== false) endResponse(response)
    else void this.#received.takeRest().then(() => endResponse(response))
  }

  error(reason: unknown): void {
    this.#isOpen = false
    const broken = this.#response ?? this.#socket
    broken?.destroy(reason instanceof Error ? reason : undefined)
  }
}

function move(outlet: Outlet): void {
  outlet.move()
}

function pull(outlet: Outlet): void {
  outlet.pull()
}

function endResponse(response: ServerResponse): void {
  response.end()
  // One that waits for the answer to an earlier request has no socket yet, and nothing to be blamed for.
  if (response.writableFinished || response.socket === null) return
  const limit = setTimeout(() => response.destroy(), TAKEN_LIMIT_MS)
  limit.unref()
  response.once('close', () => clearTimeout(limit))
}

const LINE_END = Buffer.from('\r\n', 'latin1')
/** What was framed last, and what came of it: the same bytes go to many sockets, one after the other. */
let lastBytes: Uint8Array | undefined
let lastChunk = LINE_END

/**
 * Writes a chunk of HTTP/1.1's chunked coding (RFC 9112, section 7.1).
 *
 * @returns Whether the socket takes more at once.
 */
function writeChunk(socket: Socket, bytes: Uint8Array): boolean {
  if (bytes.length <= COPY_BYTES) return socket.write(toChunk(bytes))
  socket.cork()
  socket.write(sizeLine(bytes))
  socket.write(bytes)
  socket.write(LINE_END)
  socket.uncork()
  // While it was corked it held all of it; what counts is what is left.
  return socket.writableLength < socket.writableHighWaterMark
}

function toChunk(bytes: Uint8Array): Uint8Array {
  if (bytes === lastBytes) return lastChunk
  lastChunk = Buffer.concat([sizeLine(bytes), bytes, LINE_END])
  lastBytes = bytes
  return lastChunk
}

function sizeLine({ length }: Uint8Array): Uint8Array {
  return Buffer.from(`${length.toString(16)}\r\n`, 'latin1')
}
