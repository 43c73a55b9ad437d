/**
 * UDP on Node, Deno and Bun, all three through `node:dgram`. workerd has no outgoing UDP: telemetry goes by HTTP there.
 *
 * @module
 */

import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { ListenOptions, UdpPower, UdpReceiver, UdpSender } from './runtime.ts'

/** Room for bursts: as 1.x asks for it; the system may give less. */
const RECEIVE_BUFFER_BYTES = 10_000_000

/** UDP by `node:dgram`. */
export const nodeUdp: UdpPower = { openSender, openReceiver }

function openSender(address: ListenOptions): UdpSender {
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

async function openReceiver(
  address: ListenOptions,
  onDatagram: (datagram: Uint8Array) => void,
): Promise<UdpReceiver> {
  const socket = createSocket({
    type: isIPv6(address.host) ? 'udp6' : 'udp4',
    reuseAddr: false,
  })
  await new Promise<void>((bound, failed) => {
    socket.once('error', failed)
    socket.bind(address.port, address.host, () => {
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
  socket.on('message', (datagram: Uint8Array) => onDatagram(datagram))
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
