/**
 * A listener of the demonstration: reads one stream, and keeps all its notifications for the check.
 *
 * @module
 */

import { createParser } from 'eventsource-parser'
import { reasonOf } from '#shared/client/client_error.ts'
import { parseJsonRecord } from '#shared/json/record.ts'

/** A system that is just starting is asked again, for ten seconds in all. */
const MOST_TRIES = 100
const RETRY_MS = 100

/** A notification that a listener got. */
export interface Received {
  readonly location: string
  readonly sequence: bigint
  readonly identifier: Readonly<Record<string, string>>
  readonly payload: unknown
}

/** What is listened to. */
export interface DemoRequest {
  readonly event: string
  readonly request: Readonly<Record<string, string | readonly string[]>>
}

/** One open stream. */
export class DemoReader<Listener extends DemoRequest = DemoRequest> {
  readonly listener: Listener
  readonly received: Received[] = []
  readonly #abort = new AbortController()
  #wake: () => void = () => undefined
  #reading: Promise<void> = Promise.resolve()

  private constructor(listener: Listener) {
    this.listener = listener
  }

  /** Opens the stream. When this resolves, the stream is open, and no later notification is missed. */
  static async open<Listener extends DemoRequest>(
    url: string,
    listener: Listener,
  ): Promise<DemoReader<Listener>> {
    const reader = new DemoReader<Listener>(listener)
    const query = new URLSearchParams({ event: listener.event })
    for (const [field, wanted] of Object.entries(listener.request))
      for (const value of [wanted].flat()) query.append(field, value)
    const response = await fetchWhenReady(url, `/api/v1/watch?${query}`, reader.#abort.signal)
    const opened = Promise.withResolvers<void>()
    reader.#reading = reader.#read(response, opened.resolve)
    void reader.#reading.catch(opened.reject)
    await opened.promise
    return reader
  }

  /** Resolves when `count` notifications have come. */
  async hasReceived(count: number): Promise<void> {
    while (this.received.length < count) await new Promise<void>((woken) => (this.#wake = woken))
  }

  async close(): Promise<void> {
    this.#abort.abort()
    await this.#reading.catch(() => undefined)
  }

  async #read(response: Response, opened: () => void): Promise<void> {
    const parser = createParser({
      onEvent: ({ event, data }) => {
        opened()
        if (event === 'live-notification' || event === 'replay') this.#keep(data)
        this.#wake()
      },
    })
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }))
  }

  #keep(data: string): void {
    const event = JSON.parse(data) as {
      readonly specversion?: string
      readonly id: string
      readonly data: { readonly identifier?: Record<string, string>; readonly payload: unknown }
    }
    if (event.specversion === undefined) return
    const { identifier = {}, payload } = event.data
    this.received.push({
      location: String(payload),
      sequence: BigInt(event.id.slice(event.id.lastIndexOf('@') + 1)),
      identifier,
      payload,
    })
  }
}

/** Opens the stream, with retries, because the server answers 503 until its store is open. */
async function fetchWhenReady(url: string, path: string, signal: AbortSignal): Promise<Response> {
  for (let tries = 0; ; tries++) {
    const response = await fetch(url + path, { signal }).catch((cause: unknown) => {
      throw new Error(`Unable to connect to ${url}: ${reasonOf(cause)}`, { cause })
    })
    if (response.status === 200) return response
    const { message = 'no reason given' } = parseJsonRecord(await response.text()) ?? {}
    if (response.status !== 503 || tries === MOST_TRIES)
      throw new Error(
        `The system ${url} opens no stream, status ${response.status}: ${String(message)}. Its console or its log says more`,
      )
    await new Promise((next) => setTimeout(next, RETRY_MS))
  }
}
