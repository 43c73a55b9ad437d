/**
 * Reading streams in tests: lines and SSE events with a deadline, never a sleep.
 *
 * @module
 */

import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { toText } from '#shared/bytes/bytes.ts'
import { createLineSplitter } from '#shared/bytes/lines.ts'
import { within } from './waiting.ts'

const MAX_LINE_BYTES = 64 * 1024 * 1024

/** A stream's items, one at a time. */
export interface ItemReader<Item> {
  /** The next item that `accept` takes; others are skipped. Fails after the deadline or at the end. */
  next(accept?: (item: Item) => boolean): Promise<Item>
  /** All items until the stream ends. */
  rest(): Promise<Item[]>
  /** Leaves: the connection is closed. */
  close(): Promise<void>
}

/** Lines of a response body. */
export function readLines(response: Response): ItemReader<string> {
  const lines = createLineSplitter({ maxBytes: MAX_LINE_BYTES })
  return reader(response, (piece, push) => {
    for (const line of lines.add(piece)) push(toText(line))
  })
}

/** Server-sent events of a response body. */
export function readEvents(response: Response): ItemReader<EventSourceMessage> {
  let sink: (event: EventSourceMessage) => void = () => undefined
  const parser = createParser({ onEvent: (event) => sink(event) })
  const decoder = new TextDecoder()
  return reader(response, (piece, push) => {
    sink = push
    parser.feed(decoder.decode(piece, { stream: true }))
  })
}

function reader<Item>(
  response: Response,
  feed: (piece: Uint8Array, push: (item: Item) => void) => void,
): ItemReader<Item> {
  if (response.body === null) throw new Error(`Response ${response.status} has no body`)
  const source: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  const items: Item[] = []
  const fill = async (): Promise<boolean> => {
    const { done, value } = await within('a piece of the stream', source.read())
    if (done) return false
    feed(value, (item) => items.push(item))
    return true
  }
  return {
    next: async (accept = () => true) => {
      for (;;) {
        const item = items.shift()
        if (item !== undefined) {
          if (accept(item)) return item
        } else if (!(await fill())) throw new Error('The stream ended')
      }
    },
    rest: async () => {
      while (await fill());
      return items.splice(0)
    },
    close: () => source.cancel().catch(() => undefined),
  }
}
