/**
 * Says how much a replay is before it begins, and on a terminal how far it is.
 *
 * @module
 */

import { call } from '#shared/client/call.ts'
import { messageOf } from '#shared/client/client_error.ts'
import type { CloudEvent } from '#shared/client/notification.ts'
import { startQuery, type StreamStart } from '#shared/client/stream.ts'
import type { CommandContext } from './context.ts'
import type { ListenerDefinition } from './listener_file.ts'

/** A listener, and where it starts. */
export interface Starting {
  readonly definition: Pick<ListenerDefinition, 'event' | 'request'>
  readonly start: StreamStart
}

/** How far a replay is. */
export interface ReplayProgress {
  /** A listener has received a notification. */
  received(starting: Starting, event: CloudEvent): void
  /** A listener has all of the past. */
  caughtUp(starting: Starting): void
  /** For the status line; `undefined` when nothing that was announced is under way. */
  text(): string | undefined
}

/** From so many on a replay is announced: their triggers take minutes, and the start may be a mistake. */
const ANNOUNCED_FROM = 3_000
/** A service that does not answer by then announces nothing: listening goes on as before. */
const PATIENCE_MS = 5_000

interface Announced {
  /** Number before the first notification. */
  readonly before: number
  readonly count: number
  done: number
}

/**
 * Asks the service how much there is, and logs it.
 *
 * @param until End of the period, milliseconds since 1970; absent or infinite: now.
 */
export async function announceReplays(
  listeners: readonly Starting[],
  { until, context }: { readonly until: number | undefined; readonly context: CommandContext },
): Promise<ReplayProgress> {
  const announced = new Map<Starting, Announced>()
  for (const listener of listeners) {
    const found = await countOf(listener, until, context)
    if (found === undefined || found.count < ANNOUNCED_FROM) continue
    announced.set(listener, { ...found, done: 0 })
    context.output.log('INFO', textOf(listener, found.count))
  }
  return {
    received(listener, { sequence }) {
      const one = announced.get(listener)
      if (one === undefined || sequence === undefined) return
      one.done = Math.min(Math.max(one.done, Number(sequence) - one.before), one.count)
    },
    caughtUp: (listener) => void announced.delete(listener),
    text() {
      if (announced.size === 0) return undefined
      const sum = (of: (one: Announced) => number): number =>
        [...announced.values()].reduce((total, one) => total + of(one), 0)
      const count = sum((one) => one.count)
      return `replaying · ${Math.floor((100 * sum((one) => one.done)) / count)} % of ${grouped(count)}`
    },
  }
}

function textOf({ definition: { event, request }, start }: Starting, count: number): string {
  const what = Object.keys(request).length === 0 ? '' : 'what matches of '
  return `Replaying ${what}${grouped(count)} notifications of ${event}, ${sinceText(start)}`
}

function sinceText(start: StreamStart): string {
  switch (start.kind) {
    case 'date':
      return `since ${start.date}`
    case 'cursor':
      return 'since the last one that was handled'
    case 'oldest':
    case 'live':
      return 'from the oldest that is kept'
  }
}

/** @returns how many the stream goes through; `undefined` where there are none, or the service does not say */
async function countOf(
  { definition, start }: Starting,
  until: number | undefined,
  context: CommandContext,
): Promise<{ readonly before: number; readonly count: number } | undefined> {
  if (start.kind === 'live') return undefined
  const whole = await ask(definition, start, context)
  if (whole === undefined) return undefined
  const before = whole.last - whole.count
  if (until === undefined || !Number.isFinite(until)) return { before, count: whole.count }
  const after = await ask(definition, { kind: 'date', date: new Date(until + 1).toISOString() }, context)
  return after === undefined ? undefined : { before, count: whole.count - after.count }
}

async function ask(
  { event, request }: Starting['definition'],
  start: StreamStart,
  context: CommandContext,
): Promise<{ readonly last: number; readonly count: number } | undefined> {
  const { config, output } = context
  const query = startQuery({ event, request }, start)
  if (start.kind === 'cursor') query.set('from', start.cursor)
  const timeoutMs = Math.min(config.timeoutMs ?? PATIENCE_MS, PATIENCE_MS)
  try {
    const { last, count } = await call(
      { ...context, config: { ...config, timeoutMs } },
      { path: `/api/v1/notifications/count?${query}`, method: 'GET', attempts: 1, failure: 'Not counted' },
    )
    return typeof count === 'number' && typeof last === 'string' ? { last: Number(last), count } : undefined
  } catch (error) {
    // The stream says what is wrong with the start.
    output.log('DEBUG', messageOf(error))
    return undefined
  }
}

/** `12,345` */
function grouped(count: number): string {
  return count.toLocaleString('en-US')
}
