/**
 * Requests of runtimes that give a standard `Request` and take a standard `Response`: Bun and workerd.
 *
 * @module
 */

import { readToEnd } from '#shared/bytes/read_to_end.ts'
import {
  isStreamed,
  toResponse,
  toStream,
  type Answer,
  type HandlerHeaders,
  type HandlerRequest,
} from '#shared/handler.ts'
import { systemClock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import { LINGER_BOUNDS, type ArrivingBody, type LingerBounds } from './lingering.ts'
import { ORDINARY_LINGER_MS } from './server_limits.ts'

/** What a runtime adds to its request. */
export interface WebRequestOptions {
  /** Looks up the address at the other end. */
  readonly findPeer?: () => string | undefined
  /**
   * The runtime closes the connection with the end of the answer, even where the client still sends. Then the body is read through here.
   */
  readonly isClosing: boolean
}

/** A request and its body. */
export class WebRequest implements HandlerRequest, ArrivingBody {
  readonly #request: Request
  readonly #options: WebRequestOptions
  readonly #bounds: LingerBounds
  readonly #source: ReadableStreamDefaultReader<Uint8Array> | undefined
  #lastRead: Promise<unknown> = Promise.resolve()
  #body: ReadableStream<Uint8Array> | undefined
  #isOver: boolean

  constructor(request: Request, options: WebRequestOptions, bounds: LingerBounds = LINGER_BOUNDS) {
    this.#request = request
    this.#options = options
    this.#bounds = bounds
    // workerd gives a stream to requests of every method.
    const hasBody = request.body !== null && request.method !== 'GET' && request.method !== 'HEAD'
    this.#source = options.isClosing && hasBody ? request.body.getReader() : undefined
    this.#isOver = this.#source === undefined
  }

  get method(): string {
    return this.#request.method
  }

  get url(): string {
    return this.#request.url
  }

  get headers(): HandlerHeaders {
    return this.#request.headers
  }

  get signal(): AbortSignal {
    return this.#request.signal
  }

  get peer(): string | undefined {
    return this.#options.findPeer?.()
  }

  get body(): ReadableStream<Uint8Array> | null {
    const source = this.#source
    if (source === undefined) return this.#request.body
    // A handler that cancels has read enough. The source is left open, because the rest is taken from there.
    this.#body ??= new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const piece = await this.#read(source)
          if (piece === undefined) controller.close()
          else controller.enqueue(piece)
        },
      },
      { highWaterMark: 0 },
    )
    return this.#body
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const source = this.#source
    if (source === undefined) return this.#request.arrayBuffer()
    const bytes = await readToEnd(() => this.#read(source), Number.MAX_SAFE_INTEGER)
    return new Uint8Array(bytes ?? []).buffer
  }

  get isOver(): boolean {
    return this.#isOver
  }

  takeRest(): Promise<void> {
    const source = this.#source
    return source === undefined ? Promise.resolve() : atMost(this.#bounds.ms, this.#discard(source))
  }

  async #discard(source: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    let taken = 0
    try {
      while (taken < this.#bounds.bytes) {
        const piece = await this.#read(source)
        if (piece === undefined) return
        taken += piece.length
      }
    } catch {
      // The client has left, so it needs no answer.
    }
  }

  /** Reads one after the other: workerd refuses a second read, and a handler that was too slow may have left one. */
  #read(source: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | undefined> {
    const read = async (): Promise<Uint8Array | undefined> => {
      try {
        const { value } = await source.read()
        this.#isOver ||= value === undefined
        return value
      } catch (error) {
        this.#isOver = true
        throw error
      }
    }
    const piece = this.#lastRead.then(read, read)
    this.#lastRead = piece
    return piece
  }
}

/**
 * Makes an answer reach a client that still sends.
 *
 * @returns A response that ends no sooner than the client has sent what it wants to send, within bounds.
 */
export async function respondTo(received: ArrivingBody, answer: Answer): Promise<Response> {
  if (received.isOver) return toResponse(answer)
  const { status, headers, body } = answer
  if (isStreamed(body)) {
    // Its handler may read the request while the answer is read. What is left is known after that.
    const late = endingLate(toStream(body), () => received.takeRest())
    return new Response(late, { status, headers })
  }
  const rest = received.takeRest()
  await atMost(ORDINARY_LINGER_MS, rest)
  const response = toResponse(answer)
  if (received.isOver || response.body === null) return response
  const length = String(typeof body === 'string' ? new TextEncoder().encode(body).length : body?.length)
  return new Response(
    endingLate(response.body, () => rest),
    { status, headers: { ...headers, 'content-length': length } },
  )
}

/** The same bytes, whose end waits for `rest`. */
function endingLate(body: ReadableStream<Uint8Array>, rest: () => Promise<void>): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream({
    pull: async (controller) => {
      const { value } = await reader.read()
      if (value !== undefined) return controller.enqueue(value)
      await rest()
      controller.close()
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** Waits for work, and no longer than `ms`. */
function atMost(ms: number, work: Promise<void>): Promise<void> {
  return within(work, { clock: systemClock, ms, late: () => undefined })
}
