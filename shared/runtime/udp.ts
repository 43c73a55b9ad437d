/**
 * UDP on Node, Deno and Bun, all three through `node:dgram`. workerd has no outgoing UDP: telemetry goes by HTTP there.
 *
 * @module
 */

import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'

/** A socket that sends to one address. */
export interface UdpSender {
  /** @param done Called once, with `false` where the datagram certainly did not leave. */
  send(datagram: Uint8Array, done: (sent: boolean) => void): void
  close(): void
}

/** A socket that receives. */
export interface UdpReceiver {
  readonly port: number
  close(): Promise<void>
}

/** Where to receive, and who does. */
export interface UdpReceiverOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** Must not throw. */
  readonly onDatagram: (datagram: Uint8Array) => void
}

/** Room for bursts: as 1.x asks for it; the system may give less. */
const RECEIVE_BUFFER_BYTES = 10_000_000

/** Opens a sender. It does not keep the process alive, and a destination that refuses is none of its business. */
export function openUdpSender(address: { readonly host: string; readonly port: number }): UdpSender {
  const socket = createSocket(isIPv6(address.host) ? 'udp6' : 'udp4')
  let isClosed = false
  // A refusal (ICMP) of an earlier datagram arrives here.
  socket.on('error', () => undefined)
  socket.unref()
  return {
    send(datagram, done) {
      if (isClosed) return done(false)
      try {
        socket.send(datagram, address.port, address.host, (error) =>
          done(error === null || error === undefined),
        )
      } catch {
        done(false)
      }
    },
    close() {
      if (isClosed) return
      isClosed = true
      void close(socket)
    },
  }
}

/**
 * Binds a receiver.
 *
 * @throws {Error} Where the address cannot be had.
 */
export async function openUdpReceiver(options: UdpReceiverOptions): Promise<UdpReceiver> {
  const socket = createSocket({
    type: isIPv6(options.host) ? 'udp6' : 'udp4',
    reuseAddr: false,
  })
  await new Promise<void>((bound, failed) => {
    socket.once('error', failed)
    socket.bind(options.port, options.host, () => {
      socket.off('error', failed)
      bound()
    })
  })
  socket.on('error', () => undefined)
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES)
  } catch {
    // The system's own size serves as well, with more losses under a burst.
  }
  socket.on('message', (datagram: Uint8Array) => options.onDatagram(datagram))
  return { port: socket.address().port, close: () => close(socket) }
}

function close(socket: Socket): Promise<void> {
  return new Promise((closed) => {
    try {
      socket.close(() => closed())
    } catch {
      // It was closed before.
      closed()
    }
  })
}
