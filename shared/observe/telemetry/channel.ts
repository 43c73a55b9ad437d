/**
 * Channels that send telemetry: by UDP, or by HTTP where there is no UDP. A channel never makes the service wait. Messages that cannot be
 * sent are dropped and counted.
 *
 * @module
 */

import { toText } from '#shared/bytes/bytes.ts'
import type { Secret } from '#shared/secret.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin, within } from '#shared/time/deadline.ts'

/** A way by which telemetry leaves the service. */
export interface TelemetryChannel {
  /** Takes a message. Never throws and never waits. */
  send(message: Uint8Array): void
  status(): ChannelStatus
  /** Tries for a short time to send queued messages, drops the rest and closes. Idempotent. */
  close(): Promise<void>
}

/** Numbers of messages so far. */
export interface ChannelStatus {
  readonly sent: number
  readonly dropped: number
}

/** A UDP socket with one destination, as `shared/runtime` opens it. */
export interface DatagramSender {
  /** @param done Called once; with `false` when the datagram was certainly not sent. */
  send(datagram: Uint8Array, done: (sent: boolean) => void): void
  close(): void
}

/** The part of `fetch` that channels use. */
export type TelemetryFetch = (url: string, init: RequestInit) => Promise<Response>

/** Most datagrams that the system has not confirmed. Further datagrams are dropped. */
const MAX_IN_FLIGHT = 64
/** Most messages that wait for HTTP: half an hour of one service. */
export const MAX_QUEUED = 1_000
/** Most messages of one HTTP request. */
const MAX_PER_REQUEST = 100
/** Longest wait for an answer of the monitoring. */
const REQUEST_LIMIT_MS = 5_000
/** Pause after a failure, so that a monitoring that is down gets few requests. */
const FAILURE_PAUSE_MS = 5_000
/** Longest time that a service that stops waits for its monitoring. */
const CLOSE_LIMIT_MS = 2_000

/** Makes a UDP channel: each message is one datagram, which is never repeated. */
export function createUdpChannel(socket: DatagramSender): TelemetryChannel {
  let sent = 0
  let dropped = 0
  let inFlight = 0
  let isClosed = false
  return {
    send(message) {
      if (isClosed || inFlight >= MAX_IN_FLIGHT) {
        dropped++
        return
      }
      inFlight++
      socket.send(message, (hasLeft) => {
        inFlight--
        if (hasLeft) sent++
        else dropped++
      })
    },
    status: () => ({ sent, dropped }),
    close: () => {
      if (!isClosed) socket.close()
      isClosed = true
      return Promise.resolve()
    },
  }
}

/** Makes a channel to a monitoring in the same process. */
export function createLocalChannel(accept: (message: Uint8Array) => void): TelemetryChannel {
  let sent = 0
  return {
    send(message) {
      sent++
      accept(message)
    },
    status: () => ({ sent, dropped: 0 }),
    close: () => Promise.resolve(),
  }
}

/** Makes one channel of several: each of them gets every message. */
export function joinChannels(channels: readonly TelemetryChannel[]): TelemetryChannel {
  const sum = (which: keyof ChannelStatus): number =>
    channels.reduce((total, channel) => total + channel.status()[which], 0)
  return {
    send: (message) => {
      for (const channel of channels) channel.send(message)
    },
    status: () => ({ sent: sum('sent'), dropped: sum('dropped') }),
    close: async () => {
      await Promise.all(channels.map((channel) => channel.close()))
    },
  }
}

export interface HttpChannelParts {
  /** Address of the monitoring's `/api/v1/telemetry`. */
  readonly url: string
  /** Bearer token of the monitoring. */
  readonly token: Secret
  readonly fetch: TelemetryFetch
  readonly clock: Clock
}

/** Makes an HTTP channel: messages are sent as lines, one request at a time. When the queue is full, the oldest message is dropped. */
export function createHttpChannel(parts: HttpChannelParts): TelemetryChannel {
  const stop = new AbortController()
  const queue: Uint8Array[] = []
  let sent = 0
  let dropped = 0
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0, MAX_PER_REQUEST)
      const ok = await post(parts, batch, stop.signal)
      if (ok) sent += batch.length
      else dropped += batch.length
      if (!ok) await parts.clock.sleep(FAILURE_PAUSE_MS, stop.signal)
      if (stop.signal.aborted) break
    }
    running = undefined
  }
  return {
    send(message) {
      if (stop.signal.aborted || queue.length >= MAX_QUEUED) dropped++
      if (stop.signal.aborted) return
      if (queue.length >= MAX_QUEUED) queue.shift()
      queue.push(message)
      running ??= run()
    },
    status: () => ({ sent, dropped }),
    async close() {
      if (running !== undefined) {
        const limit = { clock: parts.clock, ms: CLOSE_LIMIT_MS, signal: stop.signal, late: () => undefined }
        await within(running, limit)
      }
      stop.abort()
      dropped += queue.splice(0).length
    },
  }
}

async function post(
  { url, token, fetch, clock }: HttpChannelParts,
  messages: readonly Uint8Array[],
  stop: AbortSignal,
): Promise<boolean> {
  const body = messages.map(toText).join('\n')
  const headers = { 'content-type': 'application/x-ndjson', authorization: `Bearer ${token.reveal()}` }
  const exchange = async (signal: AbortSignal): Promise<boolean> => {
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
    // The body of the answer is not needed.
    await response.body?.cancel()
    return response.ok
  }
  try {
    return await runWithin(exchange, { clock, ms: REQUEST_LIMIT_MS, signal: stop, late: () => false })
  } catch {
    return false
  }
}
