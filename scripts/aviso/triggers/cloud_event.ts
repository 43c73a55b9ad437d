/**
 * The CloudEvent that the trigger `post` sends.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import * as v from 'valibot'
import type { JsonObject } from '#shared/json/strict_json.ts'
import { toTriggerData, type ReceivedNotification } from '#shared/client/notification.ts'
import { keyMessage, text } from './trigger.ts'

/** 1.x's defaults. */
const DEFAULT_TYPE = 'aviso'
const DEFAULT_SOURCE = 'https://aviso.ecmwf.int'

/** The option `cloudevents` of a protocol. */
export const cloudEventOptions = v.optional(
  v.strictObject(
    { type: v.optional(text('must be text')), source: v.optional(text('must be text')) },
    keyMessage(),
  ),
  {},
)

/** What a listener file says about its events. */
export type EventOrigin = v.InferOutput<typeof cloudEventOptions>

/** An event: its attributes and its data, in 1.x's order. */
export interface TriggerEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  /** RFC 3339 with whole seconds, as in 1.x. */
  readonly time: string
  readonly data: JsonObject
}

/**
 * Makes the events of one trigger. All attempts for a notification send the same event.
 *
 * @param now Milliseconds since 1970, for a notification that another writer stored without a time.
 */
export function createEvents(
  { source = DEFAULT_SOURCE, type = DEFAULT_TYPE }: EventOrigin,
  now: () => number,
): (notification: ReceivedNotification) => TriggerEvent {
  const firstAttempts = new WeakMap<ReceivedNotification, number>()
  const timeOf = (notification: ReceivedNotification): number => {
    const stored = Date.parse(notification.time ?? '')
    if (!Number.isNaN(stored)) return stored
    const first = firstAttempts.get(notification) ?? now()
    firstAttempts.set(notification, first)
    return first
  }
  return (notification) => ({
    specversion: '1.0',
    id: stableId(notification),
    source,
    type,
    time: `${new Date(timeOf(notification)).toISOString().slice(0, 19)}Z`,
    data: toTriggerData(notification),
  })
}

/**
 * A UUID (version 8) that depends only on the notification. When it is sent again after a failure or a restart, the receiver can recognise
 * it.
 */
function stableId({ source, id }: ReceivedNotification): string {
  const hex = createHash('sha256').update(`${source}\n${id}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
