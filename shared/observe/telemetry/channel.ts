/**
 * How telemetry leaves: by UDP, or by HTTP where there is none. Neither ever makes the service wait: what cannot go is dropped and counted.
 *
 * @module
 */

import { toText } from '#shared/bytes/bytes.ts'
import type { Secret } from '#shared/secret.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin, within } from '#shared/time/deadline.ts'

/** Where telemetry goes. */
export interface TelemetryChannel {
  /** Takes a message; never throws, never waits. */
  send(message: Uint8Array): void
  status(): ChannelStatus
  /** Lets go of what is still queued, after a short try. Idempotent. */
  close(): Promise<void>
}

/** Messages so far. */
export interface ChannelStatus {
  readonly sent: number
  readonly dropped: number
}

/** A UDP socket with one destination, as `shared/runtime` opens it. */
export interface DatagramSender {
  /** @param done Called once, with `false` where the datagram certainly did not leave. */
  send(datagram: Uint8Array, done: (sent: boolean) => void): void
  close(): void
}

/** `fetch`, as far as it is used here. */
export type TelemetryFetch = (url: string, init: RequestInit) => Promise<Response>

/** Datagrams handed to the system at once; a sender that does not come back is not fed further. */
const MAX_IN_FLIGHT = 64
/** Messages that wait for HTTP: half an hour of one service. */
export const MAX_QUEUED = 1_000
/** Messages of one HTTP request. */
const MAX_PER_REQUEST = 100
/** A monitoring that does not answer by then is down. */
const REQUEST_LIMIT_MS = 5_000
/** Pause after a failure, so that a monitoring that is down is not hammered. */
const FAILURE_PAUSE_MS = 5_000
/** A service that stops does not wait longer for its monitoring. */
const CLOSE_LIMIT_MS = 2_000

/** UDP: each message is one datagram, and is gone. */
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

/** A monitoring in the same process. */
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

/** Several channels as one: each gets every message. */
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

/** What the HTTP channel works with. */
export interface HttpChannelParts {
  /** Address of the monitoring's `/api/v1/telemetry`. */
  readonly url: string
  /** Bearer token of the monitoring. */
  readonly token: Secret
  readonly fetch: TelemetryFetch
  readonly clock: Clock
}

/** HTTP: messages as lines, one request at a time, the oldest dropped when the queue is full. */
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
    // Whatever it says, it is not read.
    await response.body?.cancel()
    return response.ok
  }
  try {
    return await runWithin(exchange, { clock, ms: REQUEST_LIMIT_MS, signal: stop, late: () => false })
  } catch {
    return false
  }
}
