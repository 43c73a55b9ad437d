/**
 * The live view's stream, and the rows that it gives. It goes on from where it was when the view is left and opened again.
 *
 * @module
 */

import { ask, messageOf, type ApiError } from './api.ts'
import { catalogue, loadCatalogue, missingFields, type Filter } from './catalogue.ts'
import { queryOf } from './same_as.ts'
import { createState } from './state.ts'
import { follow, takeStream, type Frame, type StreamStatus } from './stream.ts'
import { valueText } from './text.ts'

/** A notification as streams deliver it. */
export interface CloudEvent {
  readonly id: string
  readonly time: string
  readonly subject?: string
  readonly data: { readonly identifier: Readonly<Record<string, unknown>>; readonly payload?: unknown }
  readonly [member: string]: unknown
}

/** A row of the table. */
export interface Row {
  readonly kind: 'notification'
  readonly id: string
  readonly number: string
  readonly time: string
  readonly fields: Readonly<Record<string, string>>
  /** Cut; the whole is in `event`. */
  readonly payload: string
  /** Words for a payload without text. */
  readonly payloadWord: string | undefined
  /** Absent where it is large: then it is asked for again. */
  readonly event: CloudEvent | undefined
}

/** A part of the history that is no longer kept. */
export interface GapRow {
  readonly kind: 'gap'
  readonly id: string
  readonly message: string
  readonly oldest: string | undefined
}

export interface Live {
  readonly event: string
  readonly filter: Filter
  readonly status: StreamStatus
  /** Newest first. */
  readonly rows: readonly (Row | GapRow)[]
  /** What matched since the stream was opened. */
  readonly matched: number
  /** Number of the event type's newest notification when the stream was opened; absent: not known. */
  readonly firstNumber?: number | undefined
  /** Milliseconds between acceptance and arrival here, of the newest live one. */
  readonly behindMs?: number | undefined
  /** Matches a second, over the last seconds. */
  readonly rate?: number | undefined
  readonly isPaused: boolean
  /** Rows that came since the pause. */
  readonly held: number
  /** Where the stream began, where that is not now. */
  readonly from?: string | undefined
  readonly problem?: string | undefined
  /** Fields that have to be chosen first. */
  readonly needs: readonly string[]
}

/** Rows that are kept. More than a person looks back by hand: that is what the history view is for. */
export const MOST_ROWS = 500
/** Notifications that are shown from before the stream was opened. */
const FIRST_ROWS = 50
/** Characters of a payload that a table shows. */
const MOST_PAYLOAD = 200
/** Larger events are not kept, so that the page stays small whatever is sent. */
const MOST_KEPT_CHARACTERS = 16_384
/** Span of the rate. */
const RATE_MS = 4_000
/** The table is drawn this often at most. */
const DRAW_MS = 200

export const live = createState<Live>({
  event: '',
  filter: {},
  status: { kind: 'connecting' },
  rows: [],
  matched: 0,
  isPaused: false,
  held: 0,
  needs: [],
})

let stop: AbortController | undefined
let cursor: string | undefined
/** Rows that wait for the table to be drawn, newest last. */
let waiting: (Row | GapRow)[] = []
let drawing: ReturnType<typeof setTimeout> | undefined
/** Ids that are shown, while history and stream may overlap. */
let shown: Set<string> | undefined
/** What was counted since the stream was opened. */
let counts: { matched: number; behindMs: number | undefined } = { matched: 0, behindMs: undefined }
let matchedAtPause = 0
/** Ends the rate when nothing comes any more. */
let quiet: ReturnType<typeof setTimeout> | undefined
/** What was counted in the last seconds, for the rate. */
let samples: { readonly at: number; readonly matched: number }[] = []

/** Opens the stream for an event type. @param from Parameters of the place to begin at; absent: now. */
export function openLive(event: string, filter: Filter, from: Readonly<Record<string, string>> = {}): void {
  closeLive()
  cursor = undefined
  waiting = []
  shown = new Set()
  counts = { matched: 0, behindMs: undefined }
  samples = []
  const described = catalogue.get().events.find(({ event_type }) => event_type === event)
  const last = described?.last ?? undefined
  const needs = described === undefined ? [] : missingFields(described, filter)
  live.set({
    event,
    filter,
    rows: [],
    matched: 0,
    held: 0,
    isPaused: false,
    behindMs: undefined,
    rate: undefined,
    problem: undefined,
    firstNumber: last === undefined ? undefined : Number(last.sequence),
    needs,
    from: Object.values(from)[0],
  })
  if (needs.length === 0) run(from)
}

/** Goes on where the view was left. */
export function resumeLive(): void {
  const { event, needs } = live.get()
  if (stop === undefined && event !== '' && needs.length === 0) run({})
}

/** Ends the stream, and keeps its place. */
export function closeLive(): void {
  stop?.abort()
  stop = undefined
}

function run(from: Readonly<Record<string, string>>): void {
  const { event, filter } = live.get()
  const controller = takeStream()
  stop = controller
  controller.signal.addEventListener('abort', () => {
    if (stop === controller) stop = undefined
  })
  const isFresh = cursor === undefined && Object.keys(from).length === 0
  let wantsHistory = isFresh
  void follow({
    path: `api/v1/watch?${queryOf({ event, filter })}`,
    start: from,
    cursor,
    signal: controller.signal,
    onFrames: (frames) => {
      take(frames)
      if (!wantsHistory) return
      // The stream is open, so what is older than it is history, and nothing lies between the two.
      wantsHistory = false
      void showHistory(controller.signal)
    },
    onStatus: (status) => {
      live.set({ status, ...(status.kind === 'refused' && { problem: refusalText(status.error) }) })
    },
    onCursor: (place) => {
      cursor = place
    },
  })
}

function refusalText(error: ApiError): string {
  return error.status === 410
    ? `${error.message}. Go on with what is kept: replay from the oldest.`
    : messageOf(error)
}

/** The newest notifications from before the stream was opened. */
async function showHistory(signal: AbortSignal): Promise<void> {
  const { event, filter } = live.get()
  try {
    const { notifications } = await ask<{ readonly notifications: readonly CloudEvent[] }>(
      `api/v1/notifications?${queryOf({ event, filter })}&limit=${FIRST_ROWS}`,
      { signal },
    )
    const rows = notifications.filter(({ id }) => shown?.has(id) !== true).map((each) => toRow(each))
    live.set({ rows: [...live.get().rows, ...rows].slice(0, MOST_ROWS) })
  } catch (error) {
    // The stream itself says what is wrong; history may be refused alone, by quota.
    if (!signal.aborted) live.set({ problem: messageOf(error) })
  } finally {
    // From here on the stream's own places keep rows from coming twice.
    if (!signal.aborted) shown = undefined
  }
}

function take(frames: readonly Frame[]): void {
  for (const frame of frames) {
    const row = rowOf(frame)
    if (row === undefined || shown?.has(row.id) === true) continue
    shown?.add(row.id)
    waiting.push(row)
    if (row.kind === 'gap') continue
    counts.matched++
    if (frame.event === 'live-notification') counts.behindMs = Math.max(0, Date.now() - Date.parse(row.time))
  }
  if (waiting.length === 0) return
  // Rows beyond that would never be seen.
  if (waiting.length > 2 * MOST_ROWS) waiting = waiting.slice(-MOST_ROWS)
  drawing ??= setTimeout(draw, DRAW_MS)
}

/** How fast matches come; none, where they come too seldom for that. */
function rateNow(): number | undefined {
  const now = performance.now()
  samples = [...samples.filter(({ at }) => now - at < RATE_MS), { at: now, matched: counts.matched }]
  const [first] = samples
  if (first === undefined || now - first.at < RATE_MS / 2) return undefined
  return ((counts.matched - first.matched) * 1_000) / (now - first.at)
}

/** Shows what has come. While the table is paused, only the counts go on. */
function draw(): void {
  clearTimeout(drawing)
  drawing = undefined
  const { isPaused, rows } = live.get()
  const rate = rateNow()
  clearTimeout(quiet)
  quiet = setTimeout(() => live.set({ rate: undefined }), RATE_MS)
  if (isPaused) return live.set({ ...counts, rate, held: counts.matched - matchedAtPause })
  const newest = waiting.toReversed()
  waiting = []
  live.set({ ...counts, rate, held: 0, rows: [...newest, ...rows].slice(0, MOST_ROWS) })
}

function rowOf({ event, data }: Frame): Row | GapRow | undefined {
  if (event === 'gap') {
    const gap = Object(JSON.parse(data)) as { readonly message?: string; readonly oldest_position?: string }
    const { message = 'A part of the history is no longer kept', oldest_position: oldest } = gap
    return { kind: 'gap', id: `gap-${oldest ?? ''}`, message, oldest }
  }
  if (event !== 'replay' && event !== 'live-notification') return undefined
  const notification = JSON.parse(data) as Partial<CloudEvent>
  return notification['specversion'] === undefined
    ? undefined
    : toRow(notification as CloudEvent, data.length)
}

/** @param characters Length of the event as text; absent: it is measured. */
export function toRow(event: CloudEvent, characters = JSON.stringify(event).length): Row {
  const { id, time, data } = event
  const { identifier, payload } = Object(data) as Partial<CloudEvent['data']>
  return {
    kind: 'notification',
    id,
    number: id.slice(id.lastIndexOf('@') + 1),
    time,
    fields: Object.fromEntries(
      Object.entries(identifier ?? {}).map(([name, value]) => [name, valueText(value)]),
    ),
    payload: valueText(payload).slice(0, MOST_PAYLOAD),
    payloadWord: payload === '' ? 'empty text' : (payload ?? null) === null ? 'null' : undefined,
    event: characters > MOST_KEPT_CHARACTERS ? undefined : event,
  }
}

/** Stops the table, not the stream; or goes on. */
export function togglePause(): void {
  const isPaused = !live.get().isPaused
  matchedAtPause = counts.matched
  live.set({ isPaused })
  draw()
}

const REFRESH_MS = 10_000
/** Counts and rates of the event types, for as long as a view shows them. @returns a function that stops it */
export function keepCatalogue(): () => void {
  const timer = setInterval(() => {
    if (!document.hidden) void loadCatalogue()
  }, REFRESH_MS)
  return () => clearInterval(timer)
}
