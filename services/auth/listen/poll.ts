/**
 * `GET /api/v1/notifications/poll`: long polling, for clients that cannot read a stream. Each answer is a page of a stream: it is opened at the
 * client's cursor, and closed when there is something to answer with.
 *
 * @module
 */

import { authorise, refusal, type Asking, type ListenParts } from './listen.ts'
import { parseListenQuery } from './request.ts'
import { openStream } from './stream.ts'
import type { StreamDialect } from './stream_format.ts'
import { AvisoError, HistoryCompacted } from '#shared/errors.ts'
import { isStreamed, toStream, type Answer, type AnswerBody } from '#shared/handler.ts'
import { readQuery } from '#shared/http/query.ts'
import type { Route } from '#shared/http/route.ts'
import { parseJsonRecord } from '#shared/json/record.ts'
import type { Clock } from '#shared/time/clock.ts'

/** Longest time that an answer is held. Proxies often end a request that is silent for a minute. */
const MAX_WAIT_SECONDS = 50
/** A page that a client without a wish gets, and the largest. */
const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1000
/** A page with so much text is full, whatever its number of notifications, so that a client can hold it. */
const MAX_PAGE_CHARACTERS = 1024 * 1024
/** The form in which the stream is read. */
const lines = (): StreamDialect => ({ wire: 'ndjson', strict: false })
/** Beginning of a line's data, as `stream_format.ts` writes it. Names and cursors before it have no quotation mark. */
const DATA = ',"data":'

/** What the frame says that ends history. */
const COMPLETED = '"replay_completed"'

/** How much to answer, and how long to wait for it. */
interface PageLimits {
  readonly count: number
  readonly waitMs: number
}

/** The content of an answer. */
interface Page {
  /** JSON texts of CloudEvents, as they are in a stream. */
  readonly events: readonly string[]
  /** The place behind the last of them, or behind what was looked through; absent: the store is empty. */
  readonly cursor: string | undefined
  /** Whether the page is full, so that the next one can be asked for at once. */
  readonly isFull: boolean
}

/** The route. */
export function createPollRoutes(parts: ListenParts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/notifications/poll',
      doc: 'poll',
      generation: 2,
      handle: (request, { requestId }) => answer(parts, { request, requestId, mode: 'watch' }),
    },
  ]
}

async function answer(parts: ListenParts, asking: Asking): Promise<Answer> {
  const { request } = asking
  const listener = await parts.access.forListening(request)
  try {
    const query = readQuery(request.url)
    const limits = readLimits(query)
    const listening = await authorise(parts, { ...asking, listener, dialect: lines }, () =>
      parseListenQuery(query, null, parts.clock.now()),
    )
    const body = await openStream(parts, listening)
    const { start } = listening.listen
    const isLive = start.kind === 'live'
    const page = await readPage(body, { clock: parts.clock, signal: request.signal, limits, isLive })
    return pageAnswer(page, asking, start.kind === 'cursor' ? start.text : undefined)
  } catch (error) {
    return refusal(parts, error, asking)
  }
}

/** Takes what a poll has beside a watch out of the query: its limits, and `cursor`, which a watch calls `from`. */
function readLimits(query: URLSearchParams): PageLimits {
  const cursor = take(query, 'cursor')
  const wait = numberOf('wait', take(query, 'wait') ?? '0', { least: 0, most: MAX_WAIT_SECONDS })
  const count = numberOf('limit', take(query, 'limit') ?? String(DEFAULT_LIMIT), {
    least: 1,
    most: MAX_LIMIT,
  })
  if (cursor !== undefined) {
    if (query.has('from')) throw refuse("Give the position as 'cursor' or as 'from', not both", 'cursor')
    query.set('from', cursor)
  }
  return { count, waitMs: wait * 1000 }
}

function take(query: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = query.getAll(name)
  if (others.length > 0) throw refuse(`Query parameter '${name}' must be given once`, name)
  query.delete(name)
  return value
}

function numberOf(
  name: string,
  text: string,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  const unit = name === 'wait' ? 'a whole number of seconds' : 'a whole number'
  throw refuse(`Query parameter '${name}' must be ${unit} from ${least} to ${most}`, name)
}

function refuse(message: string, field: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, { details: { field } })
}

interface Reading {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly limits: PageLimits
  /** Whether the stream begins with what comes next. It has no history to catch up with. */
  readonly isLive: boolean
}

/**
 * Reads a stream until it has given something and history is complete, or the page is full, or the time is over. Then it is closed.
 *
 * @throws {HistoryCompacted} when the stream ends because its next part is no longer kept, and has given nothing.
 */
async function readPage(body: AnswerBody, { clock, signal, limits, isLive }: Reading): Promise<Page> {
  const collector = createCollector(limits, isLive)
  if (!isStreamed(body)) return collector.page()
  const reader = toStream(body).getReader()
  const close = (): void => void reader.cancel().catch(() => undefined)
  let isTimeOver = limits.waitMs === 0
  const cancelWait = clock.after(limits.waitMs, () => {
    isTimeOver = true
    if (collector.isCaughtUp()) close()
  })
  // History is looked through for longer than a client waits, so that a poll whose filter matches little makes progress.
  const cancelSearch = clock.after(MAX_WAIT_SECONDS * 1000, close)
  signal.addEventListener('abort', close)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return collector.page()
      collector.add(value)
      if (collector.isComplete() || (isTimeOver && collector.isCaughtUp())) return collector.page()
    }
  } finally {
    cancelWait()
    cancelSearch()
    signal.removeEventListener('abort', close)
    close()
  }
}

/** Gathers what the lines of a stream say. */
interface Collector {
  add(bytes: Uint8Array): void
  /** Whether history is complete: what follows is live. */
  isCaughtUp(): boolean
  /** Whether waiting cannot make the page better. */
  isComplete(): boolean
  /** @throws {HistoryCompacted} see {@link readPage}. */
  page(): Page
}

function createCollector({ count }: PageLimits, isLive: boolean): Collector {
  const events: string[] = []
  const decoder = new TextDecoder()
  let characters = 0
  let cursor: string | undefined
  let isCaughtUp = false
  let hasEnded = false
  let gap: HistoryCompacted | undefined
  let rest = ''
  const isFull = (): boolean => events.length >= count || characters >= MAX_PAGE_CHARACTERS

  function addLine(line: string): void {
    const { event, id, data } = partsOf(line)
    if (event === 'gap') gap = gapOf(data)
    else if (event === 'connection-closing') hasEnded = true
    else {
      if (isNotification(data)) {
        events.push(data)
        characters += data.length
      } else if (isLive || event === 'replay-control') isCaughtUp ||= isLive || data.includes(COMPLETED)
      cursor = id ?? cursor
    }
  }
  return {
    add(bytes) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      // What does not fit belongs to the next page, which begins behind the last that did.
      for (const line of lines) if (!isFull() && gap === undefined) addLine(line)
    },
    isCaughtUp: () => isCaughtUp,
    isComplete: () => isFull() || hasEnded || gap !== undefined || (isCaughtUp && events.length > 0),
    page() {
      if (gap !== undefined && events.length === 0) throw gap
      return { events, cursor, isFull: isFull() }
    },
  }
}

/** Members of a line, as `stream_format.ts` writes it. The data stays text, because it has the digits that were published. */
function partsOf(line: string): { readonly event: string; readonly id?: string; readonly data: string } {
  const at = line.indexOf(DATA)
  const head = parseJsonRecord(`${line.slice(0, at)}}`) ?? {}
  const { event, id } = head
  return {
    event: typeof event === 'string' ? event : '',
    ...(typeof id === 'string' && { id }),
    data: line.slice(at + DATA.length, -1),
  }
}

/** The first member of a CloudEvent. The opening of a live stream has another one. */
function isNotification(data: string): boolean {
  return data.startsWith('{"specversion":')
}

function gapOf(data: string): HistoryCompacted {
  const { message, oldest_revision: oldest } = parseJsonRecord(data) ?? {}
  const text = typeof message === 'string' ? message : 'The next part of the history is no longer kept'
  return new HistoryCompacted(text, typeof oldest === 'string' ? BigInt(oldest) : 1n)
}

/** @param given The cursor of the request, which stands for itself where the stream named no place. */
function pageAnswer(
  { events, cursor, isFull }: Page,
  { requestId }: Asking,
  given: string | undefined,
): Answer {
  const place = JSON.stringify(cursor ?? given ?? null)
  return {
    status: 200,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': requestId,
      // As for streams.
      'access-control-allow-origin': '*',
    },
    body: `{"notifications":[${events.join(',')}],"cursor":${place},"more":${isFull}}`,
  }
}
