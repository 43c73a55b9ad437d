/**
 * The official 2.x client's rules for a stream, as measured with pyaviso 2.4.2 and read in its sources (reference: aviso-v2 §9 L, §10.1):
 * everything that makes it stop for good makes this reader stop too.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { within } from '../support/waiting.ts'

/** What was asked for. */
export interface ClientRequest {
  readonly event: string
  readonly mode: 'watch' | 'replay'
  /** Whether a start was sent, and so which opening is due. */
  readonly hasStart: boolean
  /** With a filter, numbers may jump. */
  readonly hasFilter: boolean
  /** Number that must come first, where one was asked for. */
  readonly expected?: number
}

/** What the client has made of a stream so far. */
export interface ClientState {
  readonly delivered: { readonly sequence: number; readonly phase: string; readonly cloudEvent: CloudEvent }[]
  readonly ignored: string[]
  heartbeats: number
  opening: Readonly<Record<string, unknown>> | undefined
  isCompleted: boolean
  /** Reason of the closing frame. */
  closed: string | undefined
  /** Why the client gives up. */
  terminal: string | undefined
}

/** The members the client looks at. */
export interface CloudEvent {
  readonly id: string
  readonly data: { readonly identifier: Readonly<Record<string, string>>; readonly payload?: unknown }
}

const REASONS = ['server_shutdown', 'max_duration_reached', 'end_of_stream']
const MAX_LINE_BYTES = 16 * 1024 * 1024
/** One frame: two lines, nothing else. */
const FRAME = /^event: ([a-z-]+)\ndata: (\{.*\})$/

/**
 * Reads until `isEnough`, the closing frame, the end of the stream, or something terminal; then leaves.
 *
 * @throws {Error} when nothing of that happens in time, or the bytes are not the two lines of a frame.
 */
export async function readAsClient(
  response: Response,
  request: ClientRequest,
  isEnough: (state: ClientState) => boolean = () => false,
): Promise<ClientState> {
  const state: ClientState = {
    delivered: [],
    ignored: [],
    heartbeats: 0,
    opening: undefined,
    isCompleted: false,
    closed: undefined,
    terminal: undefined,
  }
  if (response.status !== 200) return { ...state, terminal: `status ${response.status}` }
  const type = response.headers.get('content-type') ?? ''
  if (!/^text\/event-stream(?:;|$)/.test(type)) return { ...state, terminal: `content type ${type}` }
  const reader = response.body?.getReader() ?? assert.fail('a stream has a body')
  const decoder = new TextDecoder()
  let buffered = ''
  const isOver = (): boolean => state.terminal !== undefined || state.closed !== undefined || isEnough(state)
  while (!isOver()) {
    const { done, value } = await within('a piece of the stream', reader.read())
    if (done) break
    buffered += decoder.decode(value, { stream: true })
    assert.ok(buffered.length < MAX_LINE_BYTES)
    const frames = buffered.split('\n\n')
    buffered = frames.pop() ?? ''
    for (const frame of frames) if (!isOver()) take(state, request, frame)
  }
  await reader.cancel()
  return state
}

function take(state: ClientState, request: ClientRequest, frame: string): void {
  const [, name = '', text = ''] = FRAME.exec(frame) ?? assert.fail(`not a frame of two lines: ${frame}`)
  const data = JSON.parse(text) as Readonly<Record<string, unknown>>
  if (name === 'heartbeat') {
    state.heartbeats++
    return
  }
  if (state.opening === undefined) {
    const due = request.hasStart
      ? 'replay-control replay_started'
      : 'live-notification connection_established'
    if (`${name} ${String(data['type'])}` === due) state.opening = data
    else if (['live-notification', 'replay-control', 'replay', 'error', 'connection-closing'].includes(name))
      state.terminal = `opened with ${name}`
    else state.ignored.push(name)
    return
  }
  switch (name) {
    case 'replay':
    case 'live-notification':
      return deliver(state, request, name, data as unknown as CloudEvent)
    case 'replay-control':
      return control(state, data)
    case 'error':
      state.terminal = 'error frame'
      return
    case 'connection-closing':
      if (REASONS.includes(String(data['reason']))) state.closed = String(data['reason'])
      else state.terminal = `unknown reason ${String(data['reason'])}`
      return
    default:
      state.ignored.push(name)
  }
}

function control(state: ClientState, data: Readonly<Record<string, unknown>>): void {
  if (data['type'] === 'replay_completed') state.isCompleted = true
  if (data['type'] !== 'notification_replay_limit_reached') return
  state.terminal = Number.isInteger(data['max_allowed']) ? 'HistoryGap' : 'limit without max_allowed'
}

function deliver(state: ClientState, request: ClientRequest, phase: string, cloudEvent: CloudEvent): void {
  const { id, data } = cloudEvent
  if (typeof id !== 'string' || typeof data?.identifier !== 'object') {
    state.terminal = 'not a CloudEvent'
    return
  }
  const at = id.lastIndexOf('@')
  const number = id.slice(at + 1)
  if (at < 0 || !/^\d+$/.test(number)) state.terminal = `malformed id ${id}`
  else if (id.slice(0, at) !== request.event) state.terminal = `id of another type ${id}`
  if (state.terminal !== undefined) return
  const sequence = Number(number)
  const last = state.delivered.reduce((most, one) => Math.max(most, one.sequence), 0)
  const expected = state.delivered.length === 0 ? request.expected : last + 1
  if (!request.hasFilter && expected !== undefined && sequence > expected) {
    state.terminal = `HistoryGap sequence_jump ${expected} ${sequence}`
    return
  }
  state.delivered.push({ sequence, phase, cloudEvent })
}
