/**
 * The UDP gate: hands datagrams to the receiver, up to a limit per second. Beyond the limit, the gate closes the socket for the rest of the
 * second. So a flood loads the kernel of the machine, and not the services of this process.
 *
 * @module
 */

import type { Counter, Metrics } from '#shared/observe/metrics/metrics.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'

/** A bound socket. */
export interface DatagramSocket {
  close(): Promise<void>
}

/** Binds the socket. Rejects when the address is not available. */
export type OpenSocket = (onDatagram: (datagram: Uint8Array) => void) => Promise<DatagramSocket>

export interface UdpGateParts {
  readonly open: OpenSocket
  readonly accept: (datagram: Uint8Array) => void
  readonly clock: Clock
  readonly metrics: Metrics
  readonly logger: Logger
}

/** An open gate. */
export interface UdpGate {
  /** Resolves when the first attempt to bind the socket has ended. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

/** Enough for three hundred services that send as often as 1.x does. At about 10 µs each, a flood takes less than 1 % of a processor. */
export const MAX_DATAGRAMS_PER_SECOND = 500
const SECOND_MS = 1_000

/** Opens the gate. When the socket cannot be bound, the gate tries again every second. The services run without it, as in 1.x. */
export function openUdpGate(parts: UdpGateParts): UdpGate {
  const { clock, logger } = parts
  const closures: Counter = parts.metrics.counter({
    name: 'aviso_monitoring_udp_closures',
    help: 'Times the UDP socket was closed for the rest of a second because of a flood',
  })
  let socket: DatagramSocket | undefined
  let opening: Promise<void> | undefined
  let taken = 0
  let isClosed = false
  let hasFailed = false

  const onDatagram = (datagram: Uint8Array): void => {
    // Datagrams may still arrive after the socket was told to close.
    if (taken >= MAX_DATAGRAMS_PER_SECOND) return
    taken++
    parts.accept(datagram)
    if (taken < MAX_DATAGRAMS_PER_SECOND || socket === undefined) return
    closures.add()
    void socket.close()
    socket = undefined
  }
  const open = async (): Promise<void> => {
    try {
      const opened = await parts.open(onDatagram)
      if (isClosed) return await opened.close()
      socket = opened
      hasFailed = false
    } catch (error) {
      if (!hasFailed)
        logger('error', 'The UDP port for telemetry cannot be opened', {
          reason: error instanceof Error ? error.name : 'unknown',
        })
      hasFailed = true
    } finally {
      opening = undefined
    }
  }
  const stop = clock.every(SECOND_MS, () => {
    taken = 0
    if (socket === undefined && !isClosed) opening ??= open()
  })
  opening = open()
  return {
    ready: opening,
    async close() {
      isClosed = true
      stop()
      await opening
      await socket?.close()
      socket = undefined
    },
  }
}
