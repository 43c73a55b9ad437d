/**
 * Follows a stream of the service across disconnections: what came is neither missed nor given twice.
 *
 * @module
 */

import { ApiError, send } from './api.ts'

/** An event of a stream. */
export interface Frame {
  readonly event: string
  readonly data: string
}

/** How a stream is. */
export type StreamStatus =
  | { readonly kind: 'connecting' | 'live' | 'replaying' }
  /** It comes back by itself. */
  | { readonly kind: 'waiting'; readonly reason: string }
  /** It does not. */
  | { readonly kind: 'refused'; readonly error: ApiError }

/** What is followed, and what hears of it. */
export interface Following {
  /** Path without the place to begin at. */
  readonly path: string
  /** Parameters of the place to begin at; none: now. They count until something was received. */
  readonly start: Readonly<Record<string, string>>
  /** Everything after this place. */
  readonly cursor?: string | undefined
  readonly onFrames: (frames: readonly Frame[]) => void
  readonly onStatus: (status: StreamStatus) => void
  /** The place behind all that was handed over. */
  readonly onCursor?: (cursor: string) => void
  readonly signal: AbortSignal
}

/** Longest event that is taken: a notification has at most 256 KiB of payload, which JSON may write six times as long. */
const MOST_CHARACTERS = 4 * 1024 * 1024
const FIRST_WAIT_MS = 500
const MOST_WAIT_MS = 10_000
/** Heartbeats come every 5 s. A stream that is silent for longer leads nowhere. */
const SILENCE_MS = 30_000

/** The stream that is open. A tab has one, because a browser opens few connections to a host. */
let current: AbortController | undefined

/** Ends the stream of this tab, for another one. @returns the signal of the new one */
export function takeStream(): AbortController {
  current?.abort()
  current = new AbortController()
  return current
}

/** Follows until the signal, or until the service refuses. Never rejects. */
export async function follow(following: Following): Promise<void> {
  const { signal, onStatus } = following
  let { cursor } = following
  let failures = 0
  while (!signal.aborted) {
    onStatus({ kind: 'connecting' })
    try {
      cursor = await followOnce(following, cursor, () => {
        failures = 0
      })
      if (signal.aborted) return
      onStatus({ kind: 'waiting', reason: 'The service ended the stream' })
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof Ended) cursor = error.cursor ?? cursor
      const cause = error instanceof Ended ? error.cause : error
      if (cause instanceof ApiError && isFinal(cause.status))
        return onStatus({ kind: 'refused', error: cause })
      onStatus({
        kind: 'waiting',
        reason: cause instanceof ApiError ? cause.message : 'The connection ended',
      })
    }
    // Pages that lost the same service come back spread in time.
    const wait = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures) * (0.5 + Math.random() / 2)
    failures = Math.min(failures + 1, 8)
    await pause(wait, signal)
  }
}

/** The stream broke. It holds the place behind what was received. */
class Ended extends Error {
  readonly cursor: string | undefined

  constructor(cursor: string | undefined, cause: unknown) {
    super('ended', { cause })
    this.cursor = cursor
  }
}

function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429
}

/** @returns the place behind all that came */
async function followOnce(
  { path, start, onFrames, onStatus, onCursor, signal }: Following,
  cursor: string | undefined,
  onConnected: () => void,
): Promise<string | undefined> {
  const silence = new AbortController()
  const either = AbortSignal.any([signal, silence.signal])
  const query = cursor === undefined ? new URLSearchParams(start).toString() : ''
  const address = query === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`
  const headers = { accept: 'text/event-stream', ...(cursor !== undefined && { 'last-event-id': cursor }) }
  let place = cursor
  let timer = setTimeout(() => silence.abort(), SILENCE_MS)
  try {
    const response = await send(address, { headers, signal: either })
    onConnected()
    onStatus({ kind: query === '' && cursor === undefined ? 'live' : 'replaying' })
    for await (const read of readFrames(response)) {
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), SILENCE_MS)
      if (signal.aborted) return place
      if (read.some(({ event, data }) => event === 'replay-control' && data.includes('"replay_completed"')))
        onStatus({ kind: 'live' })
      onFrames(read)
      place = read.findLast(({ id }) => id !== undefined)?.id ?? place
      if (place !== undefined) onCursor?.(place)
      if (signal.aborted) return place
    }
    return place
  } catch (error) {
    throw new Ended(place, error)
  } finally {
    clearTimeout(timer)
  }
}

interface PlacedFrame extends Frame {
  readonly id: string | undefined
}

/** The events of each piece that arrives. @throws {TypeError} when the connection breaks. */
async function* readFrames(response: Response): AsyncGenerator<readonly PlacedFrame[]> {
  if (response.body === null) return
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      rest += decoder.decode(value, { stream: true })
      const parts = rest.split('\n\n')
      rest = parts.pop() ?? ''
      if (rest.length > MOST_CHARACTERS) throw new TypeError('An event is too long')
      const frames = parts.flatMap(readFrame)
      if (frames.length > 0) yield frames
    }
  } finally {
    // A reader that stops closes the connection.
    reader.cancel().catch(() => undefined)
  }
}

function readFrame(text: string): readonly PlacedFrame[] {
  let event = 'message'
  let id: string | undefined
  const data: string[] = []
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') event = value
    else if (name === 'data') data.push(value)
    else if (name === 'id') id = value
  }
  return data.length === 0 && id === undefined ? [] : [{ event, id, data: data.join('\n') }]
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
