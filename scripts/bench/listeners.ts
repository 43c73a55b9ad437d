/**
 * Opens many listeners in one process over raw sockets. Every delivery is checked for order, loss and repeats.
 *
 * @module
 */

import { connect, type Socket } from 'node:net'
import { createFrameScanner, type FrameScanner } from './frame_scanner.ts'
import { connected } from './http_load.ts'
import { EVENT, monotonicMs } from './notifications.ts'
import { toPercentiles, type Percentiles } from './statistics.ts'

/** How to listen. */
export interface ListenersRequest {
  readonly url: string
  /** Path and query of the n-th listener. */
  readonly path: (n: number) => string
  readonly count: number
  /** Whether each listener gets every notification, so that sequence numbers have no gap. Default: true. */
  readonly isDense?: boolean
  /** Whether payloads say when they were sent. Default: false. */
  readonly hasTimes?: boolean
  /** When a payload was sent, by what it shows after `?t=`. Default: it shows the time, by {@link monotonicMs}. */
  readonly timeOf?: (shown: number) => number
  /** Sequence number before the first expected notification; absent: any first notification is right. */
  readonly after?: number
  /** Number of streams opened at the same time. Default: 200. */
  readonly inFlight?: number
}

/** Path of a live stream of all notifications. */
export const LIVE_PATH = `/api/v1/watch?event=${EVENT}`

/** Largest frame. The beginning of a split frame is copied in front of the next bytes. */
const MAX_FRAME_BYTES = 64 * 1024
const READ_BYTES = 256 * 1024
/** One buffer for all sockets, because bytes are parsed before the next read. */
const shared = Buffer.allocUnsafeSlow(MAX_FRAME_BYTES + READ_BYTES)
const readBuffer = shared.subarray(MAX_FRAME_BYTES)
/** Time between two checks of a wait. */
const POLL_MS = 2

/** Many open streams. */
export interface Listeners {
  /** Deliveries so far, over all listeners. */
  readonly delivered: number
  /** Bytes of streams so far, over all listeners. */
  readonly bytes: number
  /** Reads that contained a notification: fewer than deliveries when several came at once. */
  readonly reads: number
  /**
   * Waits until each listener has had `each` more deliveries than at the last call, and checks all of them.
   *
   * @throws {Error} When deliveries are missing after `limitMs`, and for any loss, repeat or wrong order.
   */
  settled(each: number, limitMs: number): Promise<void>
  /** Milliseconds from sending to delivery since the last call; needs `hasTimes`. */
  takeLatencies(): Percentiles
  /** Stops reading until {@link Listeners.resume}. */
  pause(): void
  resume(): void
  /** Closes all sockets at once. */
  close(): void
}

/** Opens streams. Resolves when each has had its first frame. */
export async function openListeners(request: ListenersRequest): Promise<Listeners> {
  const { count, isDense = true, hasTimes = false, inFlight = 200 } = request
  const scan = createFrameScanner(EVENT, hasTimes)
  const timeOf = request.timeOf ?? ((sentAtMs: number) => sentAtMs)
  const latencies: number[] = []
  const listeners = Array.from(
    { length: count },
    () => new Listener(scan, { latencies, timeOf }, request.after),
  )
  let next = 0
  const openSome = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) await listeners[n]?.open(request, n)
  }
  try {
    await Promise.all(Array.from({ length: Math.min(inFlight, count) }, openSome))
  } catch (error) {
    for (const listener of listeners) listener.close()
    throw error
  }
  let settledEach = 0
  return {
    get delivered() {
      return listeners.reduce((sum, { delivered }) => sum + delivered, 0)
    },
    get bytes() {
      return listeners.reduce((sum, { bytes }) => sum + bytes, 0)
    },
    get reads() {
      return listeners.reduce((sum, { reads }) => sum + reads, 0)
    },
    settled: async (each, limitMs) => {
      const wanted = settledEach + each
      await waitUntil(() => listeners.every(({ delivered }) => delivered >= wanted), limitMs)
      check(listeners, wanted, isDense)
      settledEach = wanted
    },
    takeLatencies: () => toPercentiles(latencies.splice(0)),
    pause: () => {
      for (const listener of listeners) listener.pause()
    },
    resume: () => {
      for (const listener of listeners) listener.resume()
    },
    close: () => {
      for (const listener of listeners) listener.close()
    },
  }
}

/** Resolves when `holds`, or after the limit. */
async function waitUntil(holds: () => boolean, limitMs: number): Promise<void> {
  const limit = performance.now() + limitMs
  while (!holds() && performance.now() < limit) await new Promise((next) => setTimeout(next, POLL_MS))
}

function check(listeners: readonly Listener[], wanted: number, isDense: boolean): void {
  const sum = (value: (listener: Listener) => number): number =>
    listeners.reduce((total, listener) => total + value(listener), 0)
  const missing = sum(({ delivered }) => Math.max(0, wanted - delivered))
  const surplus = sum(({ delivered }) => Math.max(0, delivered - wanted))
  const skipped = isDense ? sum((listener) => listener.skipped) : 0
  const disordered = sum((listener) => listener.disordered)
  if (missing + surplus + skipped + disordered === 0) return
  const ended = listeners.find(({ failure }) => failure !== undefined)?.failure
  throw new Error(
    `Of ${wanted} deliveries to each of ${listeners.length} listeners, ${missing} are missing, ${surplus} too many, ${skipped} skipped, ${disordered} repeated or out of order${ended === undefined ? '' : ` (${ended})`}`,
  )
}

/** Where latencies are noted. */
interface Times {
  readonly latencies: number[]
  readonly timeOf: (shown: number) => number
}

/** One stream. It is a class, because ten thousand of them are needed. */
class Listener {
  readonly #scan: FrameScanner
  readonly #times: Times
  #socket: Socket | undefined
  /** The text before the first frame; absent after the first frame. */
  #head: string | undefined = ''
  /** The beginning of a split frame. */
  #rest: Buffer | undefined
  #last: number | undefined
  #readAt = 0
  #onFirstFrame: (error?: Error) => void = () => undefined
  delivered = 0
  /** Bytes received, with heads and heartbeats. */
  bytes = 0
  /** Reads that contained a notification. */
  reads = 0
  /** Number of sequence numbers that were left out. */
  skipped = 0
  /** Number of sequence numbers that were not greater than the one before. */
  disordered = 0
  /** Why the stream ended; absent while it is open. */
  failure: string | undefined

  constructor(scan: FrameScanner, times: Times, after: number | undefined) {
    this.#scan = scan
    this.#times = times
    this.#last = after
  }

  async open({ url, path }: ListenersRequest, n: number): Promise<void> {
    const { hostname, host, port } = new URL(url)
    const callback = (length: number): boolean => {
      this.#onBytes(length)
      return true
    }
    const socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: { buffer: readBuffer, callback },
    })
    this.#socket = socket
    await connected(socket)
    const onEnd = (error?: Error): void => {
      this.failure ??= error?.message ?? 'the server ended a stream'
      this.#onFirstFrame(new Error(this.failure))
    }
    socket.on('error', onEnd)
    socket.on('end', onEnd)
    await new Promise<void>((opened, failed) => {
      this.#onFirstFrame = (error) => (error === undefined ? opened() : failed(error))
      socket.write(`GET ${path(n)} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`)
    })
  }

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  close(): void {
    // Reset the connection, because ten thousand ports in TIME_WAIT would be missing in the next run.
    this.#socket?.resetAndDestroy()
  }

  notification(sequence: number, sentAtMs: number): void {
    const last = this.#last
    if (Number.isNaN(sequence)) this.disordered++
    else if (last !== undefined) {
      if (sequence > last) this.skipped += sequence - last - 1
      else this.disordered++
    }
    this.#last = sequence
    this.delivered++
    if (!Number.isNaN(sentAtMs)) this.#times.latencies.push(this.#readAt - this.#times.timeOf(sentAtMs))
  }

  #onBytes(length: number): void {
    this.bytes += length
    this.#readAt = monotonicMs()
    const rest = this.#rest
    let start = MAX_FRAME_BYTES
    if (rest !== undefined) {
      start -= rest.length
      rest.copy(shared, start)
    }
    const bytes = shared.subarray(start, MAX_FRAME_BYTES + length)
    const { delivered } = this
    const from = this.#scan(bytes, this)
    if (this.delivered > delivered) this.reads++
    if (bytes.length - from > MAX_FRAME_BYTES) throw new RangeError('A frame is larger than a reader takes')
    this.#rest = from < bytes.length ? Buffer.from(bytes.subarray(from)) : undefined
    if (this.#head !== undefined) this.#readHead(bytes.toString('latin1'))
  }

  #readHead(text: string): void {
    this.#head += text
    const head = this.#head ?? ''
    const end = head.indexOf('\r\n\r\n')
    if (end === -1 || (head.length === end + 4 && head.startsWith('HTTP/1.1 200'))) return
    this.#head = undefined
    const isRight = head.startsWith('HTTP/1.1 200')
    this.#onFirstFrame(isRight ? undefined : new Error(`A stream was refused: ${head.slice(0, 400)}`))
  }
}
