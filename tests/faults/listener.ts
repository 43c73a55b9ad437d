/**
 * Listeners: connect, read, lose the connection, and go on where they were. What they are told is written down step by step.
 *
 * @module
 */

import type { Dice } from '../support/dice.ts'
import type { Door, DoorRequest } from './door.ts'
import type { Chain, Position, Selection, Session, Step } from './records.ts'

/** How a listener treats its stream. */
export type Habit =
  /** Reads at once. */
  | 'prompt'
  /** Stops reading for seconds, and whenever the brake is on. */
  | 'slow'
  /** Leaves for so long that history may be compacted meanwhile. */
  | 'away'

/** What one kind of stream looks like. */
export interface Protocol {
  /** The request that starts from now (no cursor), or behind a cursor. */
  request(cursor: string | undefined): { readonly path: string } & DoorRequest
  /** A reader of one connection's answer, which started behind `cursor`. */
  reader(take: (told: Told) => void, cursor: string | undefined): (text: string) => void
  /** What an answer that is no stream says. */
  refusal(status: number, body: string): Told | undefined
  /** The position behind which a request with this cursor starts. */
  positionOf(cursor: string): Position
}

/** What a stream says: a step, and where to go on from. */
export interface Told {
  readonly step?: Step
  /** The service ends the stream. */
  readonly reason?: string
  /** Absent: as before. `null`: from now. */
  readonly cursor?: string | null
}

/** What a listener is made with. */
export interface ListenerOptions {
  readonly name: string
  readonly selection: Selection
  readonly protocol: Protocol
  readonly habit: Habit
  /** Nobody disturbs its connection to the service. */
  readonly isUndisturbed: boolean
  /** It goes from one to the next with every connection. */
  readonly doors: readonly [Door, ...Door[]]
  /** Where to start; absent: now. */
  readonly cursor?: string
  readonly dice: Dice
  /** Ends it. */
  readonly stop: AbortSignal
  /** From now on it behaves like a prompt one. */
  readonly settle: AbortSignal
  readonly brake: Brake
  readonly limits?: Partial<ListenerLimits>
}

/** Stops all slow listeners at once. */
export interface Brake {
  /** Until when (`performance.now()`); `Infinity` while it is not known. */
  heldUntil: number
}

/** Its patience, in milliseconds. */
export interface ListenerLimits {
  /** A stream that says nothing for this long is given up: there should be heartbeats. */
  readonly silenceMs: number
  readonly reconnectMs: number
  readonly pauseMs: { readonly least: number; readonly most: number }
  readonly awayMs: { readonly least: number; readonly most: number }
  /** How long a slow one reads between pauses, and an absent one stays. */
  readonly stayMs: { readonly least: number; readonly most: number }
}

const DEFAULT_LIMITS: ListenerLimits = {
  silenceMs: 8_000,
  reconnectMs: 300,
  pauseMs: { least: 1_000, most: 5_000 },
  awayMs: { least: 21_000, most: 28_000 },
  stayMs: { least: 2_000, most: 6_000 },
}

const BRAKE_POLL_MS = 50

/** A running listener. */
export interface Listener {
  readonly chain: Chain
  /** How many connections ended in silence. */
  readonly silences: () => number
  /** Resolves when it has ended. */
  readonly done: Promise<void>
}

/** Starts one. */
export function listen(options: ListenerOptions): Listener {
  const { name, selection, habit, isUndisturbed } = options
  const isPrompt = habit === 'prompt' && isUndisturbed
  const chain: Chain = { name, selection, isPrompt, sessions: [] }
  let silences = 0
  const done = run(options, chain, () => silences++)
  return { chain, done, silences: () => silences }
}

/** One listener's place. */
interface Place {
  cursor: string | undefined
}

async function run(options: ListenerOptions, chain: Chain, onSilence: () => void): Promise<void> {
  const { doors, dice, stop } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const place: Place = { cursor: options.cursor }
  for (let number = 0; !stop.aborted; number++) {
    const door = doors[number % doors.length] ?? doors[0]
    await connect({ ...options, limits }, { door, place, chain, onSilence })
    const isAway = options.habit === 'away' && !options.settle.aborted
    const { least, most } = isAway ? limits.awayMs : { least: 0, most: limits.reconnectMs }
    await pause(dice.whole(least, most), isAway ? options.settle : stop)
  }
}

/** One connection. */
interface Connection {
  readonly door: Door
  readonly place: Place
  readonly chain: Chain
  readonly onSilence: () => void
}

async function connect(
  options: ListenerOptions & { readonly limits: ListenerLimits },
  { door, place, chain, onSilence }: Connection,
): Promise<void> {
  const { protocol, stop, limits } = options
  const leave = new AbortController()
  const stopped = (): void => leave.abort()
  stop.addEventListener('abort', stopped)
  const { cursor } = place
  const { path, ...request } = protocol.request(cursor)
  const from = cursor === undefined ? undefined : protocol.positionOf(cursor)
  let silence: ReturnType<typeof setTimeout> | undefined
  const heard = (): void => {
    clearTimeout(silence)
    silence = setTimeout(() => {
      onSilence()
      leave.abort()
    }, limits.silenceMs)
  }
  const session: Session = {
    openedAt: performance.now(),
    closedAt: undefined,
    reason: undefined,
    from,
    steps: [],
  }
  const take = ({ step, reason, cursor: next }: Told): void => {
    if (step !== undefined) session.steps.push(step)
    if (reason !== undefined) session.reason = reason
    if (next !== undefined) place.cursor = next ?? undefined
  }
  try {
    heard()
    const response = await door(path, { ...request, signal: leave.signal })
    if (response.status !== 200 || response.body === null) {
      const told = protocol.refusal(response.status, await response.text())
      if (told === undefined) return
      chain.sessions.push(session)
      return take(told)
    }
    session.openedAt = performance.now()
    chain.sessions.push(session)
    await read(
      { ...options, body: response.body, leave, heard, quiet: () => clearTimeout(silence) },
      protocol.reader(take, cursor),
    )
  } catch {
    // A broken connection: the next one goes on.
  } finally {
    clearTimeout(silence)
    stop.removeEventListener('abort', stopped)
    leave.abort()
    session.closedAt = performance.now()
  }
}

interface Reading extends ListenerOptions {
  readonly limits: ListenerLimits
  readonly body: ReadableStream<Uint8Array>
  readonly leave: AbortController
  readonly heard: () => void
  /** Silence does not count until something is heard. */
  readonly quiet: () => void
}

async function read(reading: Reading, feed: (text: string) => void): Promise<void> {
  const { body, leave, heard, quiet, habit, settle, dice, limits, brake } = reading
  const decoder = new TextDecoder()
  const reader = body.getReader()
  const left = new Promise<undefined>((done) => leave.signal.addEventListener('abort', () => done(undefined)))
  let turnAt = performance.now() + dice.whole(limits.stayMs.least, limits.stayMs.most)
  try {
    for (;;) {
      const piece = await Promise.race([reader.read(), left])
      if (piece?.value === undefined) return
      heard()
      feed(decoder.decode(piece.value, { stream: true }))
      if (habit === 'prompt' || settle.aborted) continue
      const isBraked = habit === 'slow' && performance.now() < brake.heldUntil
      if (performance.now() < turnAt && !isBraked) continue
      if (habit === 'away') return
      // Whoever does not read cannot hear.
      quiet()
      await pause(dice.whole(limits.pauseMs.least, limits.pauseMs.most), settle)
      while (performance.now() < brake.heldUntil && !settle.aborted) await pause(BRAKE_POLL_MS, settle)
      heard()
      turnAt = performance.now() + dice.whole(limits.stayMs.least, limits.stayMs.most)
    }
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

/** Resolves after `ms`, or when `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) return done()
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      done()
    }
    const timer = setTimeout(finish, ms)
    signal.addEventListener('abort', finish)
  })
}
