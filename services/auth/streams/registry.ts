/**
 * The open streams of this process, as operators look at them: whose they are, and how they are. The hub knows only how they are.
 *
 * Flow: hub → **registry** → operator
 *
 * @module
 */

import type { Listener } from '#shared/access/access.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import type { StreamState, Subscription } from '#shared/hub/hub.ts'
import type { Clock } from '#shared/time/clock.ts'

/** Whose a stream is, and what it asks for. */
export interface StreamAbout {
  readonly requestId: string
  readonly who: string
  readonly address: string | undefined
  /** What the client calls itself. */
  readonly client: string | undefined
  /** The route in the words of the metrics. */
  readonly route: string
  /** Absent: ranges of keys. */
  readonly event: string | undefined
  /** The request in words: JSON of the fields, or keys. */
  readonly asks: string
}

/** A stream that is open. */
export interface OpenStream extends StreamAbout {
  /** Rises from stream to stream. */
  readonly number: number
  /** When it was opened, milliseconds since 1970. */
  readonly since: number
  /** How it is. */
  look(): StreamState
  /** Bytes a second: since the last question that is at least a second old, or since it was opened. */
  rate(): number
  /** Ends it; its client may come back. */
  end(): void
}

/** The part of a subscription that operators need. */
export type Watched = Pick<Subscription, 'end' | 'look'>

/** The place of a stream, before and after it is open. */
export interface StreamEntry {
  add(subscription: Watched): void
  /** The stream is over, or was never opened. */
  remove(): void
}

/** The streams of this process. */
export interface StreamRegistry {
  /** Different for each process. */
  readonly instance: string
  prepare(about: StreamAbout): StreamEntry
  /** The oldest first. */
  list(): Iterable<OpenStream>
  get(number: number): OpenStream | undefined
  /** How many there are. */
  size(): number
}

/** Longest text of a request and of a client's name that is kept: there may be ten thousand of them. */
const MOST_CHARACTERS = 200
/** Rates of a shorter time say little. */
const RATE_MS = 1_000

/** Part of a random text that tells processes apart. */
const INSTANCE_CHARACTERS = 8

/** The name of a process. @param random 128 random bits as text. */
export function newInstance(random: () => string): string {
  return random().slice(0, INSTANCE_CHARACTERS)
}

/** An empty registry. @param instance Different for each process. */
export function createStreamRegistry(clock: Clock, instance: string): StreamRegistry {
  const streams = new Map<number, OpenStream>()
  let last = 0
  return {
    instance,
    prepare: (about) => new RegisteredStream({ streams, clock, number: ++last }, about),
    list: () => streams.values(),
    get: (number) => streams.get(number),
    size: () => streams.size,
  }
}

/** What is known of a stream from its request. */
export function aboutStream(
  {
    request,
    listener,
    requestId,
  }: { readonly request: HandlerRequest; readonly listener: Listener; readonly requestId: string },
  { event, asks, route }: { readonly event?: string; readonly asks: string; readonly route: string },
): StreamAbout {
  const client = request.headers.get('user-agent')
  const { name: who, address } = listener
  return {
    requestId,
    who,
    address,
    client: client === null ? undefined : shorten(client),
    route,
    event,
    asks: shorten(asks),
  }
}

function shorten(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}…`
}

/** Where a stream is registered. */
interface RegisteredPlace {
  readonly streams: Map<number, OpenStream>
  readonly clock: Clock
  readonly number: number
}

/** A stream, before and after it is open. It is a class, because there may be ten thousand of them. */
class RegisteredStream implements OpenStream, StreamEntry {
  readonly requestId: string
  readonly who: string
  readonly address: string | undefined
  readonly client: string | undefined
  readonly route: string
  readonly event: string | undefined
  readonly asks: string
  readonly number: number
  since = 0
  readonly #streams: Map<number, OpenStream>
  readonly #clock: Clock
  #subscription: Watched | undefined
  #isOver = false
  #sampleAt = 0
  #sampleBytes = 0
  #rate: number | undefined

  constructor({ streams, clock, number }: RegisteredPlace, about: StreamAbout) {
    this.requestId = about.requestId
    this.who = about.who
    this.address = about.address
    this.client = about.client
    this.route = about.route
    this.event = about.event
    this.asks = about.asks
    this.number = number
    this.#streams = streams
    this.#clock = clock
  }

  add(subscription: Watched): void {
    // It may have ended before it was added.
    if (this.#isOver) return
    this.#subscription = subscription
    this.since = this.#clock.now()
    this.#sampleAt = this.#clock.monotonic()
    this.#streams.set(this.number, this)
  }

  remove(): void {
    this.#isOver = true
    this.#streams.delete(this.number)
  }

  look(): StreamState {
    if (this.#subscription === undefined) throw new TypeError('A stream is looked at before it is open')
    return this.#subscription.look()
  }

  rate(): number {
    const now = this.#clock.monotonic()
    const ms = now - this.#sampleAt
    if (ms < RATE_MS && this.#rate !== undefined) return this.#rate
    const { bytes } = this.look()
    const rate = ms <= 0 ? 0 : ((bytes - this.#sampleBytes) * 1000) / ms
    if (ms < RATE_MS) return rate
    this.#sampleAt = now
    this.#sampleBytes = bytes
    this.#rate = rate
    return rate
  }

  end(): void {
    this.#subscription?.end('ended_by_operator')
  }
}
