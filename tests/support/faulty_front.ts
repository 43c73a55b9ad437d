/**
 * What stands in front of a store and behaves as a test says: passes everything on, refuses, is silent, answers nonsense.
 *
 * A change of manners ends the connections that stand, except that silent ones stay silent for ever.
 *
 * @module
 */

import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** What happens to a connection. Those that pass it on say how to stop that. */
export type Manner = (socket: Socket) => (() => void) | void

/** The front. */
export interface FaultyFront {
  /** Stays the same. */
  readonly port: number
  /** Connections that stand. */
  readonly connections: number
  /** Most bytes that were sent on one connection under the present manner. */
  readonly mostSent: number
  /** From now on. `'refuse'`: nobody listens. */
  behave(manner: Manner | 'refuse'): Promise<void>
  /** The connections that stand, or the latest of them, pass nothing any more, and nobody is told, as where a firewall forgets them. */
  forget(which: 'all' | 'latest'): void
  close(): Promise<void>
}

/** Starts one on a free port. */
export async function startFaultyFront(first: Manner): Promise<FaultyFront> {
  let manner = first
  let mostSent = 0
  const sockets = new Set<Socket>()
  const stops = new Set<() => void>()
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    const startedUnder = manner
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets.delete(socket)
      if (manner === startedUnder) mostSent = Math.max(mostSent, socket.bytesWritten)
    })
    const stopPassing = manner(socket)
    if (stopPassing === undefined) return
    stops.add(stopPassing)
    socket.on('close', () => stops.delete(stopPassing))
  })
  const listen = (port: number): Promise<void> =>
    new Promise((done, failed) => {
      listener.once('error', failed)
      listener.listen(port, '127.0.0.1', () => {
        listener.off('error', failed)
        done()
      })
    })
  await listen(0)
  const { port } = listener.address() as AddressInfo
  const stop = (): Promise<void> => new Promise((done) => listener.close(() => done()))
  const endAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port,
    get connections() {
      return sockets.size
    },
    get mostSent() {
      return [...sockets].reduce((most, { bytesWritten }) => Math.max(most, bytesWritten), mostSent)
    },
    behave: async (next) => {
      const staysSilent = manner === silent
      mostSent = 0
      if (next === 'refuse') {
        const stopped = stop()
        endAll()
        return stopped
      }
      manner = next
      if (!listener.listening) return listen(port)
      if (!staysSilent) endAll()
    },
    forget: (which) => {
      for (const stopPassing of [...stops].slice(which === 'all' ? 0 : -1)) stopPassing()
    },
    close: async () => {
      const stopped = listener.listening ? stop() : Promise.resolve()
      endAll()
      await stopped
    },
  }
}

/** Passes everything on to a port of this machine. */
export function passOnTo(port: number): Manner {
  return (socket) => {
    const server = connect({ port, host: '127.0.0.1', noDelay: true })
    server.on('error', () => socket.destroy())
    server.on('close', () => socket.destroy())
    socket.on('close', () => server.destroy())
    socket.pipe(server).pipe(socket)
    return () => {
      socket.unpipe(server)
      server.unpipe(socket)
    }
  }
}

/** Takes everything and says nothing. */
export const silent: Manner = (socket) => {
  socket.resume()
}

/** Ends the connection with the first bytes. */
export const resetting: Manner = (socket) => {
  socket.once('data', () => socket.resetAndDestroy())
}

/** Answers with bytes that mean nothing in any protocol. */
export const garbling: Manner = (socket) => {
  socket.once('data', () => socket.end(Uint8Array.from({ length: 4_096 }, (_, index) => (index * 151) % 256)))
}

/** Answers HTTP/1.1. */
export function answerHttp(listener: RequestListener): Manner {
  const server = createHttpServer(listener)
  return (socket) => void server.emit('connection', socket)
}

/** Answers HTTP/2. */
export function answerHttp2(listener: (stream: ServerHttp2Stream) => void): Manner {
  const server = createHttp2Server()
  server.on('sessionError', () => undefined)
  server.on('stream', (stream) => {
    stream.on('error', () => undefined)
    stream.resume()
    listener(stream)
  })
  return (socket) => void server.emit('connection', socket)
}
