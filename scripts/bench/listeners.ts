/**
 * Many listeners in one process over raw sockets. Every delivery is checked for order, loss and repeats.
 *
 * @module
 */

import { connect, type Socket } from 'node:net'
import { toPercentiles, type Percentiles } from './statistics.ts'

/** How to listen. */
export interface ListenersRequest {
  readonly url: string
  /** Path and query of listener n. */
  readonly path: (n: number) => string
  readonly count: number
  /** Source addresses to spread over, so that one does not run out of ports. */
  readonly headers?: string
}

/** What they saw. */
export interface Deliveries {
  readonly count: number
  readonly latencyMs: Percentiles
  /** Sequence numbers that did not follow their predecessor. */
  readonly outOfOrder: number
}

/** Marker of the time of sending inside a payload, e.g. `t=1234.567`. */
const SENT_AT = /t=(\d+\.\d+)/
const SEQUENCE = /"id":"[^"@]*@(\d+)"/

/** The clock that payloads carry: milliseconds, the same in every process of this machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Many open streams. */
export class Listeners {
  readonly #listeners: Listener[]

  private constructor(listeners: Listener[]) {
    this.#listeners = listeners
  }

  /** Opens them all, some at a time; resolves when each has had its first frame. */
  static async open(request: ListenersRequest): Promise<Listeners> {
    const listeners: Listener[] = []
    const inFlight = 200
    for (let start = 0; start < request.count; start += inFlight) {
      const size = Math.min(inFlight, request.count - start)
      listeners.push(
        ...(await Promise.all(Array.from({ length: size }, (_, n) => Listener.open(request, start + n)))),
      )
    }
    return new Listeners(listeners)
  }

  /** Deliveries so far, over all listeners. */
  get delivered(): number {
    return this.#listeners.reduce((sum, listener) => sum + listener.delivered, 0)
  }

  /** Resolves when every listener has `each` deliveries; fails after `limitMs`. */
  async settled(each: number, limitMs: number): Promise<void> {
    const limit = performance.now() + limitMs
    while (this.#listeners.some((listener) => listener.delivered < each)) {
      if (performance.now() > limit)
        throw new Error(`Only ${this.delivered} of ${each * this.#listeners.length} deliveries came`)
      await new Promise((next) => setTimeout(next, 5))
    }
  }

  /** Reads nothing more on all of them, until {@link resume}. */
  pause(): void {
    for (const listener of this.#listeners) listener.pause()
  }

  resume(): void {
    for (const listener of this.#listeners) listener.resume()
  }

  /** Forgets what was counted. */
  reset(): void {
    for (const listener of this.#listeners) listener.reset()
  }

  result(): Deliveries {
    return {
      count: this.delivered,
      latencyMs: toPercentiles(this.#listeners.flatMap(({ latencies }) => latencies)),
      outOfOrder: this.#listeners.reduce((sum, { outOfOrder }) => sum + outOfOrder, 0),
    }
  }

  close(): void {
    for (const listener of this.#listeners) listener.close()
  }
}

class Listener {
  readonly #socket: Socket
  #partial = ''
  #last = 0
  delivered = 0
  outOfOrder = 0
  latencies: number[] = []

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
  }

  static async open({ url, path, headers = '' }: ListenersRequest, n: number): Promise<Listener> {
    const { hostname, host, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    const listener = new Listener(socket)
    await new Promise<void>((opened, failed) => {
      socket.once('error', failed)
      socket.once('connect', () =>
        socket.write(
          `GET ${path(n)} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n${headers}\r\n`,
        ),
      )
      let head = ''
      const onHead = (text: string): void => {
        head += text
        if (!head.includes('\n\n') && !head.includes('event:')) return
        socket.off('data', onHead)
        if (!head.startsWith('HTTP/1.1 200')) return failed(new Error(head.slice(0, 200)))
        socket.on('data', (more: string) => listener.#onText(more))
        opened()
      }
      socket.on('data', onHead)
    })
    return listener
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  reset(): void {
    this.delivered = 0
    this.latencies = []
  }

  close(): void {
    this.#socket.destroy()
  }

  #onText(text: string): void {
    const now = monotonicMs()
    const lines = (this.#partial + text).split('\n')
    this.#partial = lines.pop() ?? ''
    for (const line of lines) {
      const sequence = line.startsWith('data:') ? SEQUENCE.exec(line)?.[1] : undefined
      if (sequence === undefined) continue
      if (this.#last !== 0 && Number(sequence) !== this.#last + 1) this.outOfOrder++
      this.#last = Number(sequence)
      this.delivered++
      const sentAt = SENT_AT.exec(line)?.[1]
      if (sentAt !== undefined) this.latencies.push(now - Number(sentAt))
    }
  }
}
