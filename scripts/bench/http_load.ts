/**
 * Makes HTTP loads over raw keep-alive sockets. They are cheap, so that the server is measured and not the load generator.
 *
 * @module
 */

import { connect, type Socket } from 'node:net'
import { runClosedLoop, type LoadResult } from './closed_loop.ts'

/** The requests to post, and the expected answers. */
export interface Posts {
  readonly url: string
  /** Body of the n-th request, from 0. */
  readonly body: (n: number) => string
  readonly connections: number
  /** Further header lines, each ending in CRLF. */
  readonly headers?: string
  /** Whether an answer is right. A wrong answer ends the load, because its rate would mean nothing. Default: status 200. */
  readonly accept?: (answer: Answer) => boolean
}

/** An answer of the server. */
export interface Answer {
  readonly status: number
  readonly body: string
}

/** Posts one request after the other on every connection, for a time. */
export function runLoad(posts: Posts & { readonly durationMs: number }): Promise<LoadResult> {
  const { url, body, connections: workers, durationMs } = posts
  const open = async (): Promise<{ call(n: number): Promise<void>; close(): void }> => {
    const connection = await openConnection(url, posts.headers)
    return {
      call: async (n) => check(posts, await connection.post(body(n))),
      close: () => connection.close(),
    }
  }
  return runClosedLoop({ workers, durationMs, open })
}

/** How well a paced load kept its rate. */
export interface PacedResult {
  readonly sent: number
  /** Requests sent per second. It is below the rate when no connection was free for a request that was due. */
  readonly perSecond: number
}

/**
 * Posts at a steady rate as long as a connection is free, however long answers take. Unlike a closed loop it does not slow down with the
 * server.
 *
 * @returns the rate that was reached, after all requests have been answered
 */
export async function runPaced(
  posts: Posts & { readonly ratePerSecond: number; readonly requests: number },
): Promise<PacedResult> {
  const { url, body, ratePerSecond, requests } = posts
  const connections = await Promise.all(Array.from({ length: posts.connections }, () => openConnection(url)))
  const free = [...connections]
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const startedAt = performance.now()
  let sent = 0
  let lastSentAt = startedAt
  let answered = 0
  const send = (connection: HttpConnection): void => {
    lastSentAt = performance.now()
    const answer = connection.post(body(sent++)).then((received) => {
      check(posts, received)
      free.push(connection)
      if (++answered === requests) resolve()
    })
    answer.catch((error: unknown) => reject(error))
  }
  const timer = setInterval(() => {
    const due = Math.min(requests, Math.floor(((performance.now() - startedAt) / 1_000) * ratePerSecond) + 1)
    for (let connection; sent < due && (connection = free.pop()) !== undefined;) send(connection)
  }, 1)
  try {
    await promise
  } finally {
    clearInterval(timer)
    for (const connection of connections) connection.close()
  }
  return { sent, perSecond: (sent - 1) / ((lastSentAt - startedAt) / 1_000) }
}

/** Posts a fixed number of requests as fast as the connections allow. */
export async function runBurst(posts: Posts & { readonly requests: number }): Promise<void> {
  const { url, body, requests } = posts
  let next = 0
  const work = async (): Promise<void> => {
    const connection = await openConnection(url)
    try {
      while (next < requests) check(posts, await connection.post(body(next++)))
    } finally {
      connection.close()
    }
  }
  await Promise.all(Array.from({ length: posts.connections }, work))
}

function check({ url, accept = ({ status }) => status === 200 }: Posts, answer: Answer): void {
  if (accept(answer)) return
  throw new Error(`${url} answered ${answer.status}: ${answer.body.slice(0, 300)}`)
}

/** A keep-alive connection with at most one request in flight. */
export interface HttpConnection {
  post(body: string): Promise<Answer>
  close(): void
}

interface Waiting {
  resolve(answer: Answer): void
  reject(error: Error): void
}

/**
 * Connects to the host of a URL, for POST requests to its path.
 *
 * @param headers Further header lines, each ending in CRLF.
 */
export async function openConnection(url: string, headers = ''): Promise<HttpConnection> {
  const { hostname, host, port, pathname } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  await connected(socket)
  const head = `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\n${headers}Content-Type: application/json\r\nContent-Length: `
  let received = ''
  let waiting: Waiting | undefined
  // Our answers are ASCII, and in latin1 a character is a byte.
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    received += text
    const answer = parseAnswer(received)
    if (answer === undefined) return
    received = ''
    waiting?.resolve(answer)
  })
  socket.on('close', () => waiting?.reject(new Error(`${host} closed the connection`)))
  socket.on('error', (error) => waiting?.reject(error))
  return {
    post: (body) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        socket.write(`${head}${Buffer.byteLength(body)}\r\n\r\n${body}`)
      }),
    close: () => {
      waiting = undefined
      // Reset the connection, because thousands of ports in TIME_WAIT would be missing in the next run.
      socket.resetAndDestroy()
    },
  }
}

/** Resolves when a socket is connected. */
export function connected(socket: Socket): Promise<void> {
  return new Promise((opened, failed) => {
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      opened()
    })
  })
}

/** Parses an HTTP/1.1 answer with a length or in chunks; `undefined` while it is incomplete. */
export function parseAnswer(text: string): Answer | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const status = Number(text.slice(9, 12))
  const body = text.slice(headEnd + 4)
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd + 2))?.[1]
  if (length === undefined) return body.endsWith('0\r\n\r\n') ? { status, body } : undefined
  return body.length < Number(length) ? undefined : { status, body }
}
