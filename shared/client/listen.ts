/**
 * Listening in one call, for programs and pages: the package's `aviso/listen`.
 *
 * @module
 */

import type { JsonValue } from '#shared/json/strict_json.ts'
import { systemClock } from '#shared/time/clock.ts'
import { connectionOf, type ServiceOptions } from './service_options.ts'
import { followStream, type StreamStart } from './stream.ts'

/** What to listen to, and from where on. */
export interface ListenOptions extends ServiceOptions {
  /** Event type, such as `flight`. */
  readonly event: string
  /** Field → the value or values that match, such as `{ country: 'Italy' }`. Absent: everything of the event type. */
  readonly request?: Readonly<Record<string, string | readonly string[]>>
  /**
   * `live` (default): what is published from now on. `oldest`: with the oldest that is kept. A date (`2026-08-10T12:00:00Z`): what was
   * stored at or after it. A cursor: what follows the notification that had it.
   */
  readonly from?: 'live' | 'oldest' | { readonly date: string } | { readonly cursor: string }
  /** What to do where notifications are no longer kept: throw (`stop`, default), or go on with the oldest that are kept. */
  readonly onGap?: 'stop' | 'continue'
  /** Called with the place that is reached, also when nothing was for this listener. Going on from there misses nothing. */
  readonly onCursor?: (cursor: string) => void
}

/** A notification. */
export interface Notification {
  /** `flight@5`: the event type and the number in it. */
  readonly id: string
  readonly event: string
  readonly request: Readonly<Record<string, string>>
  /** The JSON value that was published; absent where there is none. */
  readonly payload?: JsonValue
  /** When it was stored, RFC 3339; absent where another writer than Aviso stored it. */
  readonly time?: string
  /** The place behind this notification: a next run goes on there with `from: { cursor }`. Absent on old services. */
  readonly cursor?: string
}

/**
 * Listens until `signal` aborts or the loop ends. Lost connections are opened again, and go on behind the last notification whose loop body
 * has ended: nothing is missed, and at most that one comes again.
 *
 * @yields the notifications, in the order of the store
 * @throws {ClientError} for a wrong address, a refusal (400, 401, 403, 404), and for a gap unless `onGap` is `continue`.
 */
export async function* listen(options: ListenOptions): AsyncGenerator<Notification, void, undefined> {
  const { event, request = {}, from = 'live', onGap = 'stop', onCursor } = options
  const { baseUrl, signal, ...connection } = await connectionOf(options)
  const stream = followStream({
    ...connection,
    target: { baseUrl, event, request: valuesOf(request) },
    start: startOf(from),
    onGap,
    clock: systemClock,
    random: Math.random,
    stop: signal,
  })
  for await (const message of stream) {
    const { cursor } = message
    if (message.kind === 'notification') {
      const { id, event: type, request: fields, payload, time } = message.event
      yield {
        id,
        event: type,
        request: fields,
        ...(payload !== undefined && { payload }),
        ...(time !== undefined && { time }),
        ...(cursor !== undefined && { cursor }),
      }
    }
    if (cursor !== undefined) onCursor?.(cursor)
  }
}

function valuesOf(
  request: Readonly<Record<string, string | readonly string[]>>,
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(request).map(([field, value]) => [field, typeof value === 'string' ? [value] : value]),
  )
}

function startOf(from: NonNullable<ListenOptions['from']>): StreamStart {
  if (typeof from === 'string') return { kind: from }
  return 'date' in from ? { kind: 'date', date: from.date } : { kind: 'cursor', cursor: from.cursor }
}
