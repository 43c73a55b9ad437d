/**
 * Describes the explaining of listeners.
 *
 * @module
 */

import { LISTEN_ERROR_MEMBERS } from '../listen/doc.ts'
import {
  QUOTA_HEADERS,
  BODY_ERRORS,
  count,
  flag,
  json,
  list,
  mapOf,
  named,
  object,
  oneOf,
  orNull,
  READ_ERRORS,
  strictObject,
  text,
  time,
  type JsonSchema,
  type RoomDoc,
} from '#shared/http/doc.ts'

const place = orNull(object({ id: text(), time: time() }))

/** A listener of either generation. What is `null` counts as absent. */
const members = {
  'event_type?': orNull(text('As in 2.x')),
  'identifier?': orNull(mapOf(named('FieldQuery'), 'As in 2.x')),
  'event?': orNull(text('As in 1.x')),
  'request?': orNull(mapOf(named('FieldQuery'), 'As in 1.x')),
  'triggers?': { description: 'Of a file of listeners: left aside' },
  'name?': { description: 'Of a file of listeners: left aside' },
  'payload?': { description: 'Left aside, as for a watch' },
}

const listener: JsonSchema = strictObject(members, 'A listener of either generation')

/** The route. */
export const doc: RoomDoc = {
  tag: 'looking',
  about: 'What there is, what there was, and why.',
  schemas: {
    Listener: listener,
    Explained: object({
      event_type: text(),
      'error?': object({ message: text(), code: text(), 'field?': text() }, 'Why no stream would take it'),
      'request?': mapOf({}),
      'policy?': object({
        visible: oneOf(['all', 'part', 'none'], 'How much of what it asks for the requester may see'),
        'cut?': list(text(), 'Keys that the policy takes away'),
        'more?': flag(),
      }),
      'looked?': object({
        count: count(),
        first: place,
        last: place,
        complete: flag('Whether all of the span was looked through'),
        'truncated?': flag('History does not reach back so far'),
      }),
      'matched?': count(),
      'first?': place,
      'last?': place,
      'hours?': list(object({ hour: time(), published: count(), matched: count() })),
      'near_misses?': list(
        object({
          field: text('The only condition that did not take them'),
          excluded: count(),
          asked: {},
          instead: list(object({ value: text(), count: count() })),
          'more?': flag(),
        }),
      ),
      'newest?': orNull(named('Notification')),
    }),
  },
  operations: {
    explain: {
      route: 'POST /api/v1/explain',
      summary: 'What listeners would have got, and why not the rest',
      access: 'listener',
      form: 2,
      body: {
        content: json(
          strictObject({
            'from?': { type: ['string', 'null'], description: 'A date; default: 24 hours ago' },
            'to?': { type: ['string', 'null'], description: 'A date; default: now' },
            'listeners?': orNull(list(named('Listener'), 'At most 20; absent: the body is one')),
            ...members,
          }),
        ),
        examples: { flights: { event_type: 'flight', identifier: { country: 'Italy' } } },
      },
      answers: {
        200: {
          about: 'What was found. Nothing was delivered, and nothing ran',
          content: json(object({ from: time(), to: time(), listeners: list(named('Explained')) })),
          headers: QUOTA_HEADERS,
        },
      },
      errors: [...BODY_ERRORS, ...READ_ERRORS, 'ERR_EPOCH_CHANGED', 'ERR_FUTURE_POSITION'],
      codes: ['INVALID_WATCH_REQUEST', 'UNKNOWN_FIELD'],
      errorMembers: LISTEN_ERROR_MEMBERS,
    },
  },
}
