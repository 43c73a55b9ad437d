/**
 * Describes history, event types, and who asks.
 *
 * @module
 */

import { EVENT, LISTEN_ERROR_MEMBERS } from '../listen/doc.ts'
import { RIGHTS_MEMBERS } from './rights_body.ts'
import {
  count,
  digits,
  flag,
  json,
  list,
  mapOf,
  named,
  object,
  oneOf,
  orNull,
  POSITION_ERRORS,
  QUOTA_HEADERS,
  READ_ERRORS,
  text,
  time,
  type OperationDoc,
  type ParameterDoc,
  type RoomDoc,
} from '#shared/http/doc.ts'

const common: Pick<OperationDoc, 'access' | 'form' | 'codes' | 'errorMembers'> = {
  access: 'listener',
  form: 2,
  codes: ['INVALID_WATCH_REQUEST'],
  errorMembers: LISTEN_ERROR_MEMBERS,
}

/** The id of a notification, of a path. */
export const NOTIFICATION_ID: ParameterDoc = {
  about: 'Event type, @, number',
  schema: text(undefined, { pattern: '^[^@/]{1,64}@[1-9][0-9]{0,14}$' }),
  example: 'flight@1',
}

/** The routes. */
export const doc: RoomDoc = {
  tag: 'looking',
  about: 'What there is, what there was, and why.',
  operations: {
    history: {
      ...common,
      route: 'GET /api/v1/notifications',
      summary: 'History page by page',
      query: {
        event: EVENT,
        order: { about: 'Which comes first. Default: newest', schema: oneOf(['newest', 'oldest']) },
        limit: { about: 'Most of a page', schema: { type: 'integer', minimum: 1, maximum: 1000 } },
        from: { about: 'First: a number, an id or a date' },
        to: { about: 'Last: a number, an id or a date' },
        cursor: { about: 'That of the page before' },
      },
      takesFields: true,
      headers: { 'If-None-Match': { about: 'ETag of a copy' } },
      answers: {
        200: {
          about: 'A page. `Accept` chooses JSON or lines',
          content: json(
            object({
              notifications: list(named('Notification')),
              cursor: orNull(text('Where the next page begins')),
              more: flag('Whether there is something further now'),
              looked: orNull(
                object({ first: digits(), last: digits(), count: count() }, 'What was looked through'),
              ),
              'truncated?': flag('A part of what was asked for is no longer kept'),
            }),
          ),
          items: { 'application/x-ndjson': named('Notification') },
          headers: {
            ...QUOTA_HEADERS,
            ETag: 'Where the page cannot change',
            Link: 'Address of the next page',
            'Access-Control-Allow-Origin': 'Pages of other origins may read it',
          },
        },
        304: { about: 'The copy is good', headers: { ETag: 'Its tag' } },
      },
      errors: [
        'ERR_BAD_REQUEST',
        'ERR_UNKNOWN_EVENT',
        'ERR_NOT_ACCEPTABLE',
        ...READ_ERRORS,
        ...POSITION_ERRORS,
      ],
    },
    notification: {
      ...common,
      route: 'GET /api/v1/notifications/:id',
      summary: 'One notification',
      path: { id: NOTIFICATION_ID },
      headers: { 'If-None-Match': { about: 'ETag of a copy' } },
      answers: {
        200: {
          about: 'The notification',
          content: json(named('Notification')),
          headers: {
            ...QUOTA_HEADERS,
            ETag: 'Of this notification',
            'Access-Control-Allow-Origin': 'Pages of other origins may read it',
          },
        },
        304: { about: 'The copy is good', headers: { ETag: 'Its tag' } },
      },
      errors: [
        'ERR_BAD_REQUEST',
        'ERR_NOT_FOUND',
        'ERR_NOT_ACCEPTABLE',
        'ERR_HISTORY_COMPACTED',
        ...READ_ERRORS,
      ],
    },
    events: {
      ...common,
      route: 'GET /api/v1/events',
      summary: 'Event types: what came last, how much, and which values',
      query: { event: { about: 'Only this event type' } },
      answers: {
        200: {
          about: 'The event types that the requester may listen to',
          content: json(
            object({
              events: list(
                object({
                  event_type: text(),
                  whole: flag('Whether the requester may see all of it'),
                  last: orNull(object({ id: text(), sequence: digits(), time: text() })),
                  published: object(
                    {
                      minute: orNull(count()),
                      hour: orNull(count()),
                      day: orNull(count()),
                    },
                    'How many came; `null` where that is not known',
                  ),
                  fields: mapOf(
                    object({ values: list(object({ value: text(), count: count() })), more: flag() }),
                    'The values that the newest notifications had',
                  ),
                  looked: count('How many of the newest were looked at'),
                }),
              ),
              now: time(),
            }),
          ),
          headers: QUOTA_HEADERS,
        },
      },
      errors: ['ERR_BAD_REQUEST', 'ERR_UNKNOWN_EVENT', 'ERR_NOT_ACCEPTABLE', ...READ_ERRORS],
    },
    me: {
      ...common,
      route: 'GET /api/v1/me',
      summary: 'Who asks, what they may do, and which rule says so',
      answers: {
        200: {
          about: 'The requester',
          content: json(named('Me')),
          headers: QUOTA_HEADERS,
        },
      },
      errors: ['ERR_NOT_ACCEPTABLE'],
    },
  },
  schemas: {
    Me: object({
      user: orNull(mapOf({}, 'The identity; `null` without one')),
      ends_at: orNull(time('When the credential ends')),
      ...RIGHTS_MEMBERS,
    }),
  },
}
