/**
 * Clients that are answered while they still send a body.
 *
 * A server that ends an answer may close the connection (on `Connection: close` every runtime does, workerd always). The client then gets
 * a broken pipe while it writes, and many clients never read the answer. So the answer's bytes leave at once, and its end waits until the
 * client has sent what it wants to send. What it sends is thrown away, within bounds.
 *
 * @module
 */

import { LINGER_BYTES, LINGER_MS, ORDINARY_LINGER_MS } from './server_limits.ts'

/** How much of a body is thrown away after an answer, and for how long. */
export interface LingerBounds {
  readonly bytes: number
  readonly ms: number
}

/** The bounds of every server. */
export const LINGER_BOUNDS: LingerBounds = { bytes: LINGER_BYTES, ms: LINGER_MS }

/** The body of a request, as its server sees it. */
export interface ArrivingBody {
  /** The server waits for nothing more: the body is whole, or the client has left. */
  readonly isOver: boolean
  /**
   * Throws away what is left of the body. Call it when the handler has read what it wants.
   *
   * @returns A promise that is fulfilled when the body is over or a bound is met.
   */
  takeRest(): Promise<void>
}

/**
 * Makes an answer reach a client that still sends.
 *
 * @returns The answer as it is where the body is over; otherwise one that says the same and ends later.
 */
export async function answerSender(response: Response, body: ArrivingBody): Promise<Response> {
  if (body.isOver) return response
  // A handler may read the body while its answer is read: what is left is known after that.
  if (response.status < 400 && response.body !== null) {
    return endingLate(response, response.body, () => body.takeRest())
  }
  const { status, statusText, headers } = response
  const bytes = response.body === null ? null : await response.arrayBuffer()
  const rest = body.takeRest()
  await atMost(ORDINARY_LINGER_MS, rest)
  const answer = new Response(bytes, { status, statusText, headers })
  if (body.isOver || answer.body === null) return answer
  answer.headers.set('content-length', String(bytes?.byteLength))
  return endingLate(answer, answer.body, () => rest)
}

/** Follows a body that a handler reads through the Fetch API, on runtimes that give nothing else. */
export function followBody(
  request: Request,
  bounds: LingerBounds = LINGER_BOUNDS,
): { readonly request: Request; readonly body: ArrivingBody } {
  // workerd gives a stream to every request, but takes none back with these methods.
  const hasBody = request.body !== null && request.method !== 'GET' && request.method !== 'HEAD'
  if (!hasBody) return { request, body: { isOver: true, takeRest: () => Promise.resolve() } }
  const source = request.body.getReader()
  let isOver = false
  const readPiece = async (): Promise<Uint8Array | undefined> => {
    try {
      const { value } = await source.read()
      isOver ||= value === undefined
      return value
    } catch (error) {
      isOver = true
      throw error
    }
  }
  let last: Promise<unknown> = Promise.resolve()
  /** One after the other: workerd refuses a second read, and a handler that was too slow may have left one. */
  const read = (): Promise<Uint8Array | undefined> => {
    const piece = last.then(readPiece, readPiece)
    last = piece
    return piece
  }
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    const piece = await read()
    if (piece === undefined) controller.close()
    else controller.enqueue(piece)
  }
  // A handler that cancels has read enough. The source is left open, because the rest is taken from there.
  const stream = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 })
  const init: RequestInit & { readonly duplex: 'half' } = {
    body: stream,
    duplex: 'half',
    signal: request.signal,
  }
  const body: ArrivingBody = {
    get isOver() {
      return isOver
    },
    takeRest: () => atMost(bounds.ms, discard(read, bounds.bytes)),
  }
  return { request: new Request(request, init), body }
}

async function discard(read: () => Promise<Uint8Array | undefined>, limitBytes: number): Promise<void> {
  let taken = 0
  try {
    while (taken < limitBytes) {
      const piece = await read()
      if (piece === undefined) return
      taken += piece.length
    }
  } catch {
    // The client has left, so it needs no answer.
  }
}

/** The same answer, whose end waits for `rest`. */
function endingLate(
  { status, statusText, headers }: Response,
  body: ReadableStream<Uint8Array>,
  rest: () => Promise<void>,
): Response {
  const reader = body.getReader()
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    const { value } = await reader.read()
    if (value !== undefined) return controller.enqueue(value)
    await rest()
    controller.close()
  }
  const cancel = (reason: unknown): Promise<void> => reader.cancel(reason)
  return new Response(new ReadableStream({ pull, cancel }), { status, statusText, headers })
}

/** Waits for work, and no longer than `ms`. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  const { promise: passed, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(() => resolve(), ms)
  await Promise.race([work, passed])
  clearTimeout(timer)
}
