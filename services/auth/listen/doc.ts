/**
 * Describes streams and polls, and what is in them.
 *
 * @module
 */

import {
  QUOTA_HEADERS,
  BODY_ERRORS,
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
  POSITION_ERRORS,
  READ_ERRORS,
  strictObject,
  text,
  time,
  type JsonSchema,
  type OperationDoc,
  type ParameterDoc,
  type RoomDoc,
} from '#shared/http/doc.ts'

const scalar: JsonSchema = { type: ['string', 'number', 'boolean'] }

/** Media types of lines; the first is the one that an answer has. */
const LINES = 'application/x-ndjson'

/** The event type, of a query. */
export const EVENT: ParameterDoc = { about: 'Event type', required: true, example: 'flight' }

/** The parameters with which a stream begins. */
const START: Readonly<Record<string, ParameterDoc>> = {
  event: EVENT,
  from_id: {
    about: 'Begin with the notification of this number, or of this id; 0: with everything that is kept',
    example: '1',
  },
  from_date: { about: 'Begin at a time: 2026-08-10T12:00:00Z, 2026-08-10, 20260810, -3h, yesterday' },
  from: { about: 'Begin behind the event with this cursor or id' },
  events: {
    about: '`message`: notifications have no name, as `onmessage` expects',
    schema: oneOf(['message']),
  },
}

const CORS = {
  'Access-Control-Allow-Origin': 'Pages of other origins may read it',
  ...QUOTA_HEADERS,
}

/** A notification as listeners get it. */
const notification = object(
  {
    specversion: oneOf(['1.0']),
    id: text('Event type, @, number. From another writer: event type, @r, revision, ., index'),
    source: text('Public address of the service'),
    type: text('int.ecmwf.aviso. and the event type'),
    'time?': text('When it was stored'),
    datacontenttype: oneOf(['application/json']),
    dataschema: text('Address of the schema'),
    subject: text('Key in the store'),
    revision: digits('Revision of the store'),
    'providerid?': text('Its id at the provider'),
    'providersource?': text(),
    'providertime?': text(),
    'traceparent?': text(),
    data: object({
      identifier: mapOf({}, 'Fields as text; a geometry as its coordinates'),
      payload: { description: 'As it was published' },
    }),
  },
  'A CloudEvent of version 1.0',
)

const about = { topic: text('Event type'), timestamp: time() }

const opening = object(
  {
    type: oneOf(['connection_established']),
    ...about,
    request_id: text(),
    connection_will_close_in_seconds: number(),
  },
  'The first event of a stream without a start',
)

const control = object(
  {
    type: oneOf(['replay_started', 'replay_completed', 'notification_replay_limit_reached']),
    ...about,
    'from_sequence?': { type: ['integer', 'null'] },
    'end_sequence?': { type: ['integer', 'null'] },
    'from_date?': { type: ['string', 'null'] },
    'to_date?': { type: ['string', 'null'] },
    'batch_size?': count(),
    'request_id?': text(),
    'truncated?': flag('A part of what was asked for is no longer kept'),
    'max_allowed?': count('For clients of 2.x, with the members of a gap'),
    'reason?': text(),
    'message?': text(),
    'oldest_revision?': digits(),
    'oldest_position?': text(),
  },
  'The beginning and the end of history',
)

const heartbeat = object({ ...about, 'position?': text('Cursor') }, 'A sign of life')

const gap = object(
  {
    reason: oneOf(['history_compacted']),
    message: text(),
    oldest_revision: digits(),
    'oldest_position?': text('Cursor with which everything that is left can be had'),
    ...about,
  },
  'The next part of the history is no longer kept',
)

/** Reasons of an end, in the words of 2.x, and our own. */
const REASONS = [
  'end_of_stream',
  'max_duration_reached',
  'server_shutdown',
  'slow_consumer',
  'store_unavailable',
  'ended_by_operator',
  'history_compacted',
  'auth_expired',
  'auth_revoked',
  'auth_unavailable',
]

const closing = object(
  {
    reason: oneOf(REASONS, 'Streams for clients of 2.x have the first three alone'),
    message: text(),
    request_id: text(),
    detail: text('The reason in our words'),
    'position?': text('Cursor with which to go on'),
    ...about,
  },
  'The last event',
)

/** Name of an event → schema of its data. */
const EVENTS: Readonly<Record<string, JsonSchema>> = {
  replay: named('Notification'),
  message: named('Notification'),
  'unnumbered-notification': named('Notification'),
  'live-notification': { anyOf: [named('Notification'), named('StreamOpening')] },
  'replay-control': named('StreamControl'),
  heartbeat: named('StreamHeartbeat'),
  gap: named('StreamGap'),
  'connection-closing': named('StreamClosing'),
}

const asEvent: JsonSchema = {
  description: 'A server-sent event',
  oneOf: Object.entries(EVENTS).map(([name, data]) =>
    object({
      event: { const: name },
      'id?': text('Cursor, for Last-Event-ID'),
      'retry?': count('Milliseconds to wait before coming back'),
      data: { type: 'string', contentMediaType: 'application/json', contentSchema: data },
    }),
  ),
}

const asLine: JsonSchema = {
  description: 'The same as a line of JSON',
  oneOf: Object.entries(EVENTS).map(([name, data]) =>
    object({ event: { const: name }, 'id?': text('Cursor'), data }),
  ),
}

/** Members of an error that says where history begins or which event types there are. */
export const LISTEN_ERROR_MEMBERS: Readonly<Record<string, JsonSchema>> = {
  configured_event_types: list(text()),
  oldest_revision: digits(),
  oldest_position: text('Cursor with which everything that is kept can be had'),
}

const CODES = ['INVALID_WATCH_REQUEST', 'INVALID_REPLAY_REQUEST', 'UNKNOWN_FIELD']

const stream: Pick<OperationDoc, 'access' | 'form' | 'answers' | 'errors' | 'codes' | 'errorMembers'> = {
  access: 'listener',
  form: 2,
  answers: {
    200: {
      about: 'A stream. `Accept` chooses events or lines',
      items: { 'text/event-stream': named('StreamEvent'), [LINES]: named('StreamLine') },
      headers: CORS,
    },
  },
  errors: ['ERR_BAD_REQUEST', 'ERR_UNKNOWN_EVENT', ...READ_ERRORS, ...POSITION_ERRORS],
  codes: CODES,
  errorMembers: LISTEN_ERROR_MEMBERS,
}

const posted: Pick<OperationDoc, 'body' | 'errors'> = {
  body: {
    content: json(named('ListenRequest')),
    examples: { flights: { event_type: 'flight', identifier: { country: 'Italy' }, from_id: '1' } },
  },
  errors: [...(stream.errors ?? []), ...BODY_ERRORS],
}

const place: JsonSchema = { type: ['string', 'null'] }

/** The routes. */
export const doc: RoomDoc = {
  tag: 'listening',
  about: 'Streams of notifications, live and from history.',
  schemas: {
    Notification: notification,
    StreamOpening: opening,
    StreamControl: control,
    StreamHeartbeat: heartbeat,
    StreamGap: gap,
    StreamClosing: closing,
    StreamEvent: asEvent,
    StreamLine: asLine,
    FieldQuery: {
      description: 'A value, one of several, or one comparison',
      anyOf: [
        scalar,
        list({}),
        object({
          'eq?': scalar,
          'in?': list(scalar),
          'gt?': scalar,
          'gte?': scalar,
          'lt?': scalar,
          'lte?': scalar,
          'between?': list(scalar),
        }),
      ],
    },
    ListenRequest: strictObject({
      event_type: text('Event type'),
      identifier: mapOf(named('FieldQuery'), 'Conditions by field; {} asks for everything'),
      'from_id?': { ...place, description: 'First number, or id' },
      'from_date?': { ...place, description: 'First time' },
      'to_id?': { ...place, description: 'Last number, or id; of a replay' },
      'to_date?': { ...place, description: 'Last time; of a replay' },
      'payload?': { description: 'Ignored' },
    }),
  },
  operations: {
    watch: {
      ...stream,
      route: 'GET /api/v1/watch',
      summary: 'Listen, for browsers, curl and scripts',
      query: { ...START, ticket: { about: 'A ticket, in place of a credential' } },
      takesFields: true,
      headers: {
        'Last-Event-ID': { about: 'Cursor or id of the last event that came. It overrides the start' },
      },
      errors: [...(stream.errors ?? []), 'ERR_TICKET_ENDED'],
    },
    watchPosted: {
      ...stream,
      ...posted,
      route: 'POST /api/v1/watch',
      summary: 'Listen, for clients of 2.x',
    },
    replayPosted: {
      ...stream,
      ...posted,
      route: 'POST /api/v1/replay',
      summary: 'Get history as a stream that ends, for clients of 2.x',
    },
    poll: {
      ...stream,
      route: 'GET /api/v1/notifications/poll',
      summary: 'Listen page by page (long polling)',
      query: {
        ...START,
        cursor: { about: 'Begin behind this place; the same as `from`' },
        wait: { about: 'Seconds to wait for something', schema: count(undefined, { maximum: 50 }) },
        limit: {
          about: 'Most notifications',
          schema: { type: 'integer', minimum: 1, maximum: 1000 },
        },
      },
      takesFields: true,
      answers: {
        200: {
          about: 'A page',
          content: json(
            object({
              notifications: list(named('Notification')),
              cursor: orNull(text('Where the next page begins')),
              more: flag('Whether the page is full'),
            }),
          ),
          headers: { 'Access-Control-Allow-Origin': 'Pages of other origins may read it' },
        },
      },
    },
    count: {
      ...stream,
      route: 'GET /api/v1/notifications/count',
      summary: 'How many notifications a stream would go through',
      query: START,
      takesFields: true,
      answers: {
        200: {
          about: 'The number, whatever the fields match; `null` where the start is no longer kept',
          content: json(
            object({ event_type: text(), last: digits('Newest number'), count: orNull(count()) }),
          ),
          headers: { 'Access-Control-Allow-Origin': 'Pages of other origins may read it' },
        },
      },
    },
  },
}
