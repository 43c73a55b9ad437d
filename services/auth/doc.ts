/**
 * Describes schemas, traces, tickets, and what operators see of streams.
 *
 * @module
 */

import { NOTIFICATION_ID } from './history/doc.ts'
import {
  count,
  digits,
  flag,
  json,
  list,
  mapOf,
  named,
  number,
  object,
  oneOf,
  orNull,
  QUOTA_HEADERS,
  READ_ERRORS,
  text,
  time,
  WRITE_ERRORS,
  type OperationDoc,
  type RoomDoc,
} from '#shared/http/doc.ts'

const ETAG = { ETag: 'Of this document' }
const KNOWN = { 'If-None-Match': { about: 'ETag of a copy' } }
const NOT_MODIFIED = { about: 'The copy is good', headers: ETAG }

/** Schemas, traces, tickets. */
export const doc: RoomDoc = {
  tag: 'looking',
  about: 'What there is, what there was, and why.',
  schemas: {
    EventSchema: object(
      {
        payload: object({ required: flag(), name: text('Its name in notifications of 1.x') }),
        identifier: mapOf(
          {
            type: 'object',
            properties: {
              type: text('Handler of the field'),
              required: flag('Whether each listener must name it'),
              required_with: mapOf(
                list(text()),
                'Values of other fields with which a listener must name it; absent: none',
              ),
            },
            required: ['required'],
            additionalProperties: true,
          },
          'The fields',
        ),
      },
      'What can be asked for',
    ),
  },
  operations: {
    schemas: {
      route: 'GET /api/v1/schema',
      summary: 'Every event type and its fields',
      access: 'everyone',
      form: 2,
      headers: KNOWN,
      answers: {
        200: {
          about: 'The schemas',
          content: json(
            object({
              status: oneOf(['success']),
              schema: mapOf(named('EventSchema')),
              event_types: list(text()),
              total_schemas: count(),
            }),
          ),
          headers: ETAG,
        },
        304: NOT_MODIFIED,
      },
      errors: ['ERR_NOT_ACCEPTABLE', 'ERR_STORE_UNAVAILABLE'],
    },
    schema: {
      route: 'GET /api/v1/schema/:event',
      summary: 'One event type and its fields',
      access: 'everyone',
      form: 2,
      path: { event: { about: 'Event type', example: 'flight' } },
      headers: KNOWN,
      answers: {
        200: {
          about: 'The schema',
          content: json(
            object({ status: oneOf(['success']), event_type: text(), schema: named('EventSchema') }),
          ),
          headers: ETAG,
        },
        304: NOT_MODIFIED,
      },
      errors: ['ERR_NOT_FOUND', 'ERR_BAD_REQUEST', 'ERR_NOT_ACCEPTABLE', 'ERR_STORE_UNAVAILABLE'],
      errorMembers: { status: oneOf(['error']), available_types: list(text()) },
    },
    trace: {
      route: 'GET /api/v1/notifications/:id/trace',
      summary: 'The way of one notification',
      access: 'listener',
      form: 2,
      path: { id: NOTIFICATION_ID },
      answers: {
        200: {
          about: 'Its times; `null` for what this process has not seen',
          content: json(
            object({
              id: text(),
              event_type: text(),
              sequence: digits(),
              revision: digits(),
              key: text(),
              traceparent: orNull(text()),
              provider: object({ id: text(), source: text(), time: orNull(text()) }),
              written_at: text('When the ingest built the transaction'),
              accepted_at: orNull(time()),
              committed_at: orNull(time()),
              seen_by_hub_at: orNull(time()),
              listeners: orNull(count('How many got it')),
            }),
          ),
          headers: QUOTA_HEADERS,
        },
      },
      errors: [
        'ERR_BAD_REQUEST',
        'ERR_NOT_FOUND',
        'ERR_NOT_ACCEPTABLE',
        'ERR_HISTORY_COMPACTED',
        ...READ_ERRORS,
      ],
      errorMembers: { oldest_revision: digits() },
    },
    ticket: {
      route: 'POST /api/v1/tickets',
      summary: 'A ticket for one stream of a web page',
      access: 'listener',
      form: 2,
      answers: {
        200: {
          about: 'The ticket',
          content: json(object({ ticket: text(), expires_in: count('Seconds') })),
          headers: QUOTA_HEADERS,
        },
      },
      errors: WRITE_ERRORS,
    },
  },
}

const operator: Pick<OperationDoc, 'access' | 'form'> = { access: 'administrator', form: 2 }

const live = object({
  at: time(),
  instance: text('Which process it is'),
  hub: object({ revision: digits(), connected: flag(), ring_bytes: count(), ring_entries: count() }),
  streams: object({
    open: count(),
    live: count(),
    catching_up: count(),
    parked: count(),
    bytes_per_second: count(),
    behind_most: text('Revisions'),
  }),
  events: mapOf(
    object({
      per_second: number(),
      deliveries_per_second: number(),
      last: orNull(digits('Newest number')),
      last_at: time(),
    }),
  ),
})

const openStream = object({
  id: text('Process and number'),
  who: text(),
  address: orNull(text()),
  client: orNull(text()),
  event_type: orNull(text()),
  request: text('What it asks for, as JSON or as a range of keys'),
  request_id: text(),
  since: time(),
  age_seconds: count(),
  state: oneOf(['live', 'catching_up', 'parked']),
  parked_seconds: number(),
  position: orNull(text('Cursor')),
  behind: object({ revisions: digits(), notifications: orNull(count()), seconds: orNull(number()) }),
  bytes: count(),
  bytes_per_second: count(),
})

/** What operators see of streams. */
export const streamsDoc: RoomDoc = {
  tag: 'operating',
  about: 'For administrators.',
  schemas: { OpenStream: openStream, LiveFrame: live },
  operations: {
    streams: {
      ...operator,
      route: 'GET /api/v1/admin/streams',
      summary: 'Who listens, and how far behind',
      query: {
        limit: { about: 'Most of a page', schema: { type: 'integer', minimum: 1, maximum: 1000 } },
        sort: { about: 'Order. Default: since', schema: oneOf(['since', 'behind']) },
        cursor: { about: 'That of the page before', schema: text(undefined, { pattern: '^[0-9]{1,15}$' }) },
        event: { about: 'Only of this event type' },
        who: { about: 'Only of this user' },
      },
      answers: {
        200: {
          about: 'The streams of this process',
          content: json(
            object({
              instance: text(),
              total: count(),
              streams: list(named('OpenStream')),
              cursor: orNull(text()),
            }),
          ),
        },
      },
      errors: ['ERR_BAD_REQUEST', 'ERR_NOT_ACCEPTABLE', ...READ_ERRORS],
    },
    endStream: {
      ...operator,
      route: 'DELETE /api/v1/admin/streams/:id',
      summary: 'End a stream; its client may come back',
      path: { id: { about: 'As in the list' } },
      answers: {
        200: {
          about: 'It is ended',
          content: json(object({ success: flag(), id: text(), request_id: text() })),
        },
      },
      errors: ['ERR_BAD_REQUEST', 'ERR_NOT_FOUND'],
      errorMembers: { instance: text('Which process was asked') },
    },
    live: {
      ...operator,
      route: 'GET /api/v1/admin/live',
      summary: 'One frame a second of what a dashboard needs',
      answers: {
        200: {
          about: 'A stream. `Accept` chooses events or lines',
          items: {
            'text/event-stream': object({
              event: { const: 'live' },
              data: {
                type: 'string',
                contentMediaType: 'application/json',
                contentSchema: named('LiveFrame'),
              },
            }),
            'application/x-ndjson': named('LiveFrame'),
          },
        },
      },
      errors: ['ERR_NOT_ACCEPTABLE', 'ERR_OVERLOADED'],
    },
  },
}
