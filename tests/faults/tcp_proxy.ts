/**
 * A TCP proxy that misbehaves when told to: what stands between two processes in a fault test.
 *
 * Bytes pass unchanged and in order. What happens to them is one {@link Weather} for all connections at a time, plus single blows
 * ({@link TcpProxy.cut}, {@link TcpProxy.halfClose}) to the connections that stand.
 *
 * @module
 */

import { createServer, createConnection, type AddressInfo, type Socket } from 'node:net'
import type { Dice } from '../support/dice.ts'

/** What happens to bytes on their way. */
export type Weather =
  | { readonly kind: 'fair' }
  /** Every piece arrives this much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Connections are accepted and stay silent: nothing passes in either direction until the weather changes. */
  | { readonly kind: 'stall' }
  /** Requests pass, answers are held back. */
  | { readonly kind: 'mute' }
  /** New connections are reset. */
  | { readonly kind: 'refuse' }

/** How a connection ends. */
export type Cut =
  /** At once, with a reset. */
  | 'reset'
  /** The next answer is forwarded in part, then comes a reset. Cuts lines in the middle. */
  | 'mid_answer'
  /** The next request is forwarded in part, then comes a reset. */
  | 'mid_request'

/** A proxy on loopback. */
export interface TcpProxy {
  readonly port: number
  readonly url: string
  /** Connections that stand. */
  readonly connections: number
  /** Bytes forwarded since the start, in the direction of requests and of answers. */
  readonly passed: { readonly requests: number; readonly answers: number }
  /** Changes what happens to bytes from now on; what was held goes out if it may. */
  setWeather(weather: Weather): void
  /** Ends every connection that stands. */
  cut(how: Cut): void
  /** Sends the end to clients; what they send still passes. */
  halfClose(): void
  close(): Promise<void>
}

/** Bytes held per direction of a connection before its source is no longer read. */
const HELD_BYTES = 256 * 1024

/** One direction of a connection. */
interface Flow {
  /** Sends what may go. */
  pump(): void
  /** Forwards a part of the next piece, then calls `then`. */
  cutNext(then: () => void): void
}

interface Link {
  readonly client: Socket
  readonly server: Socket
  readonly requests: Flow
  readonly answers: Flow
}

/** Starts a proxy to a port of this machine. */
export async function startTcpProxy(targetPort: number, dice: Dice): Promise<TcpProxy> {
  let weather: Weather = { kind: 'fair' }
  const links = new Set<Link>()
  const passed = { requests: 0, answers: 0 }
  const reset = (link: Link): void => {
    if (!links.delete(link)) return
    resetSocket(link.client)
    resetSocket(link.server)
  }
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => undefined)
    if (weather.kind === 'refuse') {
      resetSocket(client)
      return
    }
    const server = createConnection({
      port: targetPort,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    })
    const flow = (source: Socket, sink: Socket, direction: keyof typeof passed): Flow =>
      createFlow({
        source,
        sink,
        dice,
        weather: () => weather,
        direction,
        onPassed: (bytes) => {
          passed[direction] += bytes
        },
      })
    const link: Link = {
      client,
      server,
      requests: flow(client, server, 'requests'),
      answers: flow(server, client, 'answers'),
    }
    links.add(link)
    // What ends one side without a goodbye ends the other the same way.
    const broken = (): void => reset(link)
    server.on('error', broken)
    client.on('error', broken)
    const closed = (): void => {
      if (client.destroyed && server.destroyed) links.delete(link)
    }
    client.on('close', () => {
      if (!server.writableEnded) server.destroy()
      closed()
    })
    server.on('close', () => {
      if (!client.writableEnded && weather.kind !== 'stall') client.destroy()
      closed()
    })
  })
  await new Promise<void>((done, failed) => {
    listener.once('error', failed)
    listener.listen(0, '127.0.0.1', done)
  })
  const { port } = listener.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    get connections() {
      return links.size
    },
    passed,
    setWeather: (next) => {
      weather = next
      for (const { client, server, requests, answers } of links) {
        requests.pump()
        answers.pump()
        // What the other side closed while nothing passed is told now.
        if (server.destroyed && next.kind !== 'stall') client.destroy()
      }
    },
    cut: (how) => {
      for (const link of links) {
        if (how === 'reset') reset(link)
        else (how === 'mid_answer' ? link.answers : link.requests).cutNext(() => reset(link))
      }
    },
    halfClose: () => {
      for (const { client } of links) client.end()
    },
    close: async () => {
      for (const link of links) reset(link)
      await new Promise<void>((done) => listener.close(() => done()))
    },
  }
}

/**
 * Ends a connection with a reset. Node 24 keeps the handle of a socket for ever that is reset twice, or while its end is being sent, and then spins at exit.
 */
function resetSocket(socket: Socket): void {
  if (socket.writableEnded || socket.connecting) socket.destroy()
  else if (!socket.destroyed) socket.resetAndDestroy()
}

interface FlowParts {
  readonly source: Socket
  readonly sink: Socket
  readonly dice: Dice
  readonly direction: 'requests' | 'answers'
  readonly weather: () => Weather
  readonly onPassed: (bytes: number) => void
}

function createFlow({ source, sink, dice, direction, weather, onPassed }: FlowParts): Flow {
  /** Pieces with the time from which they may go. */
  let held: { readonly piece: Buffer; readonly dueAt: number }[] = []
  let heldBytes = 0
  let hasEnded = false
  let cutting: (() => void) | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const isHeld = (): boolean =>
    weather().kind === 'stall' || (weather().kind === 'mute' && direction === 'answers')

  function pump(): void {
    clearTimeout(timer)
    while (!isHeld() && !sink.destroyed) {
      const [first] = held
      if (first === undefined) break
      const waitMs = first.dueAt - performance.now()
      if (waitMs > 0) {
        timer = setTimeout(pump, waitMs)
        timer.unref()
        return
      }
      held.shift()
      heldBytes -= first.piece.length
      if (!forward(first.piece)) return
    }
    if (hasEnded && held.length === 0 && !isHeld() && sink.writable) sink.end()
    if (heldBytes < HELD_BYTES && source.isPaused() && !sink.writableNeedDrain) source.resume()
  }

  /** @returns Whether the connection still stands. */
  function forward(piece: Buffer): boolean {
    if (!sink.writable) return true
    if (cutting !== undefined) {
      const then = cutting
      cutting = undefined
      const part = piece.subarray(0, dice.whole(0, piece.length - 1))
      onPassed(part.length)
      sink.write(part, then)
      return false
    }
    onPassed(piece.length)
    if (!sink.write(piece)) source.pause()
    return true
  }

  source.on('data', (piece) => {
    const now = weather()
    held.push({ piece: piece as Buffer, dueAt: performance.now() + (now.kind === 'delay' ? now.ms : 0) })
    heldBytes += piece.length
    if (heldBytes >= HELD_BYTES) source.pause()
    pump()
  })
  source.on('end', () => {
    hasEnded = true
    pump()
  })
  sink.on('drain', pump)
  sink.on('close', () => {
    clearTimeout(timer)
    held = []
  })
  return {
    pump,
    cutNext: (then) => {
      cutting = then
    },
  }
}
