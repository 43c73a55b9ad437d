/**
 * An HTTP/2 server that sends the frames that a test says, and no others, on every runtime that has sockets.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9113
 * @module
 */

import { createServer, type AddressInfo, type Socket } from 'node:net'

const PREFACE_BYTES = 24
const HEAD_BYTES = 9
const TYPES = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8 } as const
const ACKNOWLEDGED = 1
const END_STREAM = 1
const END_HEADERS = 4
const MAX_DATA_BYTES = 16_384

/** What a test does with a connection. */
export interface RawConnection {
  readonly socket: Socket
  /** Fields without compression; `isLast` ends the stream. */
  headers(stream: number, fields: Readonly<Record<string, string>>, isLast?: boolean): void
  data(stream: number, bytes: Uint8Array): void
  reset(stream: number, code: number): void
  goaway(lastStream: number, code: number): void
}

/** What a test is told. */
export interface RawHandler {
  /** The head of a request has come. @param count Requests on this connection so far. */
  onRequest(connection: RawConnection, stream: number, count: number): void
  onReset?(stream: number, code: number): void
  /** So many bytes more may be sent on a stream; 0: on the connection. */
  onRoom?(stream: number, bytes: number): void
  /** Whether pings are answered. Default: they are. */
  readonly answersPings?: boolean
}

export interface RawHttp2 {
  readonly url: string
  /** Connections so far. */
  readonly connections: number
  close(): Promise<void>
}

/** Starts one. */
export async function startRawHttp2(handler: RawHandler): Promise<RawHttp2> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer({ noDelay: true }, (socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    serve(socket, handler)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    get connections() {
      return connections
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

function serve(socket: Socket, { onRequest, onReset, onRoom, answersPings = true }: RawHandler): void {
  const connection = toConnection(socket)
  let bytes = Buffer.alloc(0)
  let isBegun = false
  let requests = 0
  socket.write(frame(TYPES.settings, 0, 0))
  const take = (type: number, flags: number, stream: number, payload: Buffer): void => {
    if (type === TYPES.settings && flags !== ACKNOWLEDGED)
      socket.write(frame(TYPES.settings, ACKNOWLEDGED, 0))
    if (type === TYPES.ping && flags !== ACKNOWLEDGED && answersPings)
      socket.write(frame(TYPES.ping, ACKNOWLEDGED, 0, payload))
    if (type === TYPES.headers) onRequest(connection, stream, ++requests)
    if (type === TYPES.window) onRoom?.(stream, payload.readUInt32BE(0))
    if (type === TYPES.reset) onReset?.(stream, payload.readUInt32BE(0))
  }
  socket.on('data', (piece: Buffer) => {
    bytes = Buffer.concat([bytes, piece])
    if (!isBegun) {
      if (bytes.length < PREFACE_BYTES) return
      isBegun = true
      bytes = bytes.subarray(PREFACE_BYTES)
    }
    while (bytes.length >= HEAD_BYTES && bytes.length >= HEAD_BYTES + bytes.readUIntBE(0, 3)) {
      const end = HEAD_BYTES + bytes.readUIntBE(0, 3)
      const whole = bytes.subarray(0, end)
      bytes = bytes.subarray(end)
      take(whole[3] ?? 0, whole[4] ?? 0, whole.readUInt32BE(5), whole.subarray(HEAD_BYTES))
    }
  })
}

function toConnection(socket: Socket): RawConnection {
  return {
    socket,
    headers: (stream, fields, isLast = false) => {
      const block = Object.entries(fields).map(([name, value]) =>
        // A literal field that is not put into the table: RFC 7541, 6.2.2.
        Buffer.concat([Buffer.from([0]), literal(name), literal(value)]),
      )
      socket.write(
        frame(TYPES.headers, END_HEADERS | (isLast ? END_STREAM : 0), stream, Buffer.concat(block)),
      )
    },
    data: (stream, bytes) => {
      for (let at = 0; at < bytes.length; at += MAX_DATA_BYTES)
        socket.write(frame(TYPES.data, 0, stream, Buffer.from(bytes.subarray(at, at + MAX_DATA_BYTES))))
    },
    reset: (stream, code) => void socket.write(frame(TYPES.reset, 0, stream, numbers(code))),
    goaway: (lastStream, code) => void socket.write(frame(TYPES.goaway, 0, 0, numbers(lastStream, code))),
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Of fewer than 127 bytes. */
function literal(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index)
  return bytes
}
