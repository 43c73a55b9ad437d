/**
 * Encodes frames of a `text/event-stream` (server-sent events).
 *
 * @module
 */

import { toSlabBytes } from '#shared/bytes/slab.ts'
import { AvisoError } from '#shared/errors.ts'

/** One frame. An absent field has no line. */
export interface SseFrame {
  readonly event?: string
  /** Split at line ends into several `data:` lines, as the format requires. */
  readonly data?: string
  readonly id?: string
  /** Milliseconds that a browser waits before it connects again. */
  readonly retry?: number
  /** Ignored by every client. It keeps proxies from closing an idle stream. */
  readonly comment?: string
}

/** A line end or NUL inside a name would start a forged field, or make a browser ignore the id. */
const UNSAFE = /[\r\n\0]/
const LINE_END = /\r\n|\r|\n/

function field(name: string, value: string): string {
  if (UNSAFE.test(value)) {
    throw new AvisoError('ERR_INTERNAL', `The ${name} of a stream frame must be one line without NUL`)
  }
  return `${name}: ${value}\n`
}

function lines(prefix: string, text: string): string {
  // The common frame is one line of JSON, which never holds a raw line end. Two searches take a tenth of the time of the expression.
  if (!text.includes('\n') && !text.includes('\r')) return `${prefix} ${text}\n`
  return text
    .split(LINE_END)
    .map((line) => `${prefix} ${line}\n`)
    .join('')
}

/**
 * UTF-8 bytes of one frame with its closing empty line, in the order comment, event, data, id, retry. 2.x frames are exactly
 * `event: …\ndata: …\n\n`.
 *
 * @throws {AvisoError} `ERR_INTERNAL` for a line end or NUL in `event` or `id`, or a `retry` that is not a whole number from 0 on.
 */
export function encodeSse(frame: SseFrame): Uint8Array {
  let text = ''
  if (frame.comment !== undefined) text += lines(':', frame.comment)
  if (frame.event !== undefined) text += field('event', frame.event)
  if (frame.data !== undefined) text += lines('data:', frame.data)
  if (frame.id !== undefined) text += field('id', frame.id)
  if (frame.retry !== undefined) {
    if (!Number.isSafeInteger(frame.retry) || frame.retry < 0) {
      throw new AvisoError('ERR_INTERNAL', 'The retry of a stream frame must be whole milliseconds')
    }
    text += field('retry', String(frame.retry))
  }
  return toSlabBytes(`${text}\n`)
}

/** The usual lines of a frame, without line ends and NUL. It is for the caller to know that they have none. */
export interface SseLines {
  readonly event: string | undefined
  readonly data: string
  readonly id: string | undefined
}

/** The same frame as of {@link encodeSse}, in half of the time. */
export function encodeLines({ event, data, id }: SseLines): Uint8Array {
  const first = event === undefined ? '' : `event: ${event}\n`
  const last = id === undefined ? '' : `id: ${id}\n`
  return toSlabBytes(`${first}data: ${data}\n${last}\n`)
}
