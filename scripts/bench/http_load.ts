/**
 * A closed-loop HTTP load over raw keep-alive sockets: cheap enough that the server, not the generator, is what is measured.
 *
 * @module
 */

import { connect, type Socket } from 'node:net'
import { toPercentiles, type Percentiles } from './statistics.ts'

/** What to send. */
export interface LoadRequest {
  readonly url: string
  /** Body of the n-th request, from 0. */
  readonly body: (n: number) => string
  readonly connections: number
  /** Stops after this many milliseconds, or `requests` requests, whichever is first. */
  readonly durationMs: number
  readonly requests?: number
  /** Whether an answer is right; a wrong one ends the run, because its rate would mean nothing. */
  readonly accept: (status: number, body: string) => boolean
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number
  readonly perSecond: number
  readonly latencyMs: Percentiles
}

/** Runs the load. */
export async function runLoad(load: LoadRequest): Promise<LoadResult> {
  const target = new URL(load.url)
  const latencies: number[] = []
  const startedAt = performance.now()
  const endAt = startedAt + load.durationMs
  const most = load.requests ?? Number.POSITIVE_INFINITY
  let sent = 0
  const one = async (): Promise<void> => {
    const connection = await HttpConnection.open(target)
    try {
      while (performance.now() < endAt && sent < most) {
        const body = load.body(sent++)
        const before = performance.now()
        const answer = await connection.post(body)
        latencies.push(performance.now() - before)
        if (!load.accept(answer.status, answer.body))
          throw new Error(`${load.url} answered ${answer.status}: ${answer.body.slice(0, 300)}`)
      }
    } finally {
      connection.close()
    }
  }
  await Promise.all(Array.from({ length: load.connections }, one))
  const seconds = (performance.now() - startedAt) / 1000
  return {
    requests: latencies.length,
    perSecond: latencies.length / seconds,
    latencyMs: toPercentiles(latencies),
  }
}

interface Answer {
  readonly status: number
  readonly body: string
}

/** One keep-alive connection with one request in flight. */
class HttpConnection {
  readonly #socket: Socket
  readonly #head: string
  #received = Buffer.alloc(0)
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined

  private constructor(socket: Socket, target: URL) {
    this.#socket = socket
    this.#head = `POST ${target.pathname} HTTP/1.1\r\nHost: ${target.host}\r\nContent-Type: application/json\r\nContent-Length: `
    socket.on('data', (chunk) => this.#onData(chunk))
    socket.on('close', () => this.#waiting?.reject(new Error(`${target.host} closed the connection`)))
    socket.on('error', (error) => this.#waiting?.reject(error))
  }

  static async open(target: URL): Promise<HttpConnection> {
    const socket = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
    await new Promise<void>((opened, failed) => socket.once('connect', opened).once('error', failed))
    return new HttpConnection(socket, target)
  }

  post(body: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(`${this.#head}${Buffer.byteLength(body)}\r\n\r\n${body}`)
    })
  }

  close(): void {
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const answer = parseAnswer(this.#received)
    if (answer === undefined) return
    this.#received = Buffer.alloc(0)
    this.#waiting?.resolve(answer)
  }
}

/** A whole HTTP/1.1 answer with a length or in chunks; `undefined` while more is to come. */
function parseAnswer(bytes: Buffer): Answer | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const head = bytes.toString('latin1', 0, headEnd)
  const status = Number(head.slice(9, 12))
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) {
    const end = headEnd + 4 + Number(length)
    return bytes.length < end ? undefined : { status, body: bytes.toString('utf8', headEnd + 4, end) }
  }
  const rest = bytes.toString('utf8', headEnd + 4)
  return rest.endsWith('0\r\n\r\n') ? { status, body: rest } : undefined
}
