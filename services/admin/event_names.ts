/**
 * Reads names of event types as operators of aviso 2.x write them: a stream's name is that of its event type, in capitals.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { ROOT_2 } from '#shared/notification/aviso2/schema_file.ts'
import type { Schemas } from '#shared/notification/schema.ts'

/** Longest part of a wrong name that is shown. */
const MAX_SHOWN = 64

/**
 * The event type of a name in any case: its own, or in 2.x that of its stream, which is the base of its topic.
 *
 *
 * @throws {AvisoError} `ERR_NOT_FOUND` when no event type has that name; the message lists the known names.
 */
export function eventOfName(schemas: Schemas, name: string): string {
  if (schemas.events.includes(name)) return name
  const lower = name.toLowerCase()
  const found =
    schemas.events.find((event) => event.toLowerCase() === lower) ??
    schemas.events.find((event) => schemas.rootOf(event)?.toLowerCase() === `${ROOT_2}${lower}/`)
  if (found !== undefined) return found
  // In permissive mode, an event type without a schema.
  if (schemas.get(name) !== undefined) return name
  const known = schemas.events.toSorted().join(', ')
  throw new AvisoError(
    'ERR_NOT_FOUND',
    `There is no stream called "${name.slice(0, MAX_SHOWN)}": known are ${known}`,
  )
}

/** A notification as aviso 2.x names it. */
export interface NotificationId {
  readonly event: string
  readonly sequence: bigint
}

/**
 * Reads `event@sequence`.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` for another form, `ERR_NOT_FOUND` for an unknown event type.
 */
export function parseNotificationId(schemas: Schemas, id: string): NotificationId {
  const match = /^([^@]+)@([1-9]\d{0,17})$/.exec(id)
  if (match === null) {
    throw new AvisoError(
      'ERR_BAD_REQUEST',
      `"${id.slice(0, MAX_SHOWN)}" is not the name of a notification: give the event type, @ and the number, such as mars@42`,
    )
  }
  return { event: eventOfName(schemas, match[1] ?? ''), sequence: BigInt(match[2] ?? '') }
}
