/**
 * Describes the routes of the ingest.
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
  object,
  oneOf,
  strictObject,
  text,
  time,
  WRITE_ERRORS,
  type JsonSchema,
  type RoomDoc,
} from '#shared/http/doc.ts'

const FLIGHT = { country: 'Italy', airport: 'FCO', date: '20260810', number: 'AZ203' }

const stored: Readonly<Record<string, JsonSchema>> = {
  id: text('Id of the notification in every stream: event type, @, number'),
  sequence: digits('Number among the notifications of the event type'),
  revision: digits('Revision of the store'),
  key: text('Key in the store'),
}

const cloudEvent = object(
  {
    specversion: { anyOf: [{ type: 'string', enum: ['1.0', '0.3'] }] },
    id: {
      type: ['string', 'number'],
      maxLength: 256,
      description: 'Repeat a request with the same id, and it is stored only once',
    },
    source: { type: ['string', 'number'], maxLength: 2048 },
    type: { description: 'Such as aviso; it is not looked at' },
    'time?': { description: 'RFC 3339. Another value is dropped' },
    'traceparent?': { description: 'W3C Trace Context' },
    'data?': { description: 'As {event, request, …}: see NotificationData' },
    'data_base64?': { description: 'The same as base64' },
  },
  'A CloudEvent, as providers of 1.x send it. Other attributes are allowed.',
)

const data = object(
  {
    event: text('Event type'),
    request: mapOf({}, 'The fields of the event type'),
    'payload?': { description: 'What listeners get: text, or any JSON. Its name is that of the schema' },
    'ttl?': { description: 'Seconds for which the key is kept; absent, 0 and -1: without limit' },
  },
  'The data of a CloudEvent',
)

const form2 = strictObject(
  {
    event_type: text('Event type'),
    identifier: mapOf({}, 'The fields of the event type'),
    'payload?': { description: 'What listeners get: text, or any JSON' },
    'from_id?': { type: ['string', 'null'], description: 'For listening; ignored' },
    'from_date?': { type: ['string', 'null'], description: 'For listening; ignored' },
    'to_id?': { type: 'null' },
    'to_date?': { type: 'null' },
  },
  'A notification, as providers of 2.x send it',
)

const result = object(
  {
    'index?': count('Place in the batch, from 0'),
    'line?': count('Line of the stream, from 1; absent where the stream itself failed'),
    status: count('HTTP status that this one would have had alone'),
    'id?': stored['id'] ?? {},
    'sequence?': stored['sequence'] ?? {},
    'revision?': stored['revision'] ?? {},
    'key?': stored['key'] ?? {},
    'replayed?': flag('It was stored before, under the same id'),
    'message?': text(),
    'skipped?': flag('The configuration drops it'),
    'code?': text('Code of the error, as alone'),
    'field?': text('Field at fault'),
    'hint?': text(),
    'outcome?': oneOf(['none', 'unknown'], 'Whether it may have been stored in spite of the error'),
    'request_id?': text(),
  },
  'What became of one notification of several',
)

const common = { request_id: text(), processed_at: time() }

/** The routes. */
export const doc: RoomDoc = {
  tag: 'publishing',
  about: 'Providers post notifications.',
  schemas: {
    CloudEvent: cloudEvent,
    NotificationData: data,
    NotificationOf2x: form2,
    PublishResult: result,
    Stored: object({
      message: text(),
      status: oneOf(['success']),
      ...common,
      ...stored,
    }),
    Valid: object(
      {
        message: text(),
        status: oneOf(['valid']),
        dry_run: flag(),
        ...common,
        key: text('The key that would result'),
      },
      'What a dry run says of a notification that would be stored',
    ),
    Skipped: object({ message: text(), status: oneOf(['skipped']), ...common }),
    StoredBatch: object({
      message: text(),
      status: oneOf(['success']),
      ...common,
      results: list(named('PublishResult')),
    }),
  },
  operations: {
    publish: {
      route: 'POST /api/v1/notification',
      summary: 'Publish a notification, a batch or a stream of them',
      about:
        'Any `Content-Type` is taken as JSON, except where it names a batch (which only raises the limit of size: an array is always a batch) or lines. With a `ce-specversion` header the body is the data alone (binary mode). A 2xx answer means that the store has committed it to disk.',
      access: 'provider',
      form: 'both',
      query: {
        dry_run: {
          about: 'Check one notification and say its key, and store nothing',
          schema: oneOf(['true', 'false']),
        },
      },
      headers: {
        'Idempotency-Key': { about: 'Id of a notification of 2.x: a repeated request gets the first result' },
        traceparent: { about: 'W3C Trace Context' },
      },
      body: {
        content: {
          'application/json': {
            anyOf: [
              named('NotificationOf2x'),
              named('CloudEvent'),
              list({ anyOf: [named('NotificationOf2x'), named('CloudEvent')] }),
            ],
          },
          'application/cloudevents+json': named('CloudEvent'),
          'application/cloudevents-batch+json': list(named('CloudEvent')),
        },
        items: {
          'application/x-ndjson': { anyOf: [named('NotificationOf2x'), named('CloudEvent')] },
        },
        examples: {
          'of 2.x': { event_type: 'flight', identifier: FLIGHT, payload: 'Landed' },
          'of 1.x': {
            specversion: '1.0',
            id: '1',
            source: '/host/user',
            type: 'aviso',
            data: { event: 'flight', request: FLIGHT, payload: 'Landed' },
          },
        },
      },
      answers: {
        200: {
          about: 'Stored, or skipped as configured. A stream of lines is answered line by line.',
          content: json({ anyOf: [named('Stored'), named('Skipped'), named('Valid'), named('StoredBatch')] }),
          items: { 'application/x-ndjson': named('PublishResult') },
          headers: {
            'Idempotent-Replay': '`true`: it was stored before, under the same id',
            ...QUOTA_HEADERS,
          },
        },
      },
      errors: [
        ...BODY_ERRORS,
        ...WRITE_ERRORS,
        'ERR_INVALID_NOTIFICATION',
        'ERR_UNKNOWN_EVENT',
        'ERR_TOO_MANY_EVENTS',
        'ERR_ID_REUSED',
      ],
      codes: ['UNKNOWN_FIELD'],
      errorMembers: {
        outcome: oneOf(
          ['none', 'unknown', 'see_results'],
          'Whether something may have been stored in spite of the error',
        ),
        results: list(named('PublishResult')),
        configured_event_types: list(text()),
        faults: list(
          object({ 'field?': text(), message: text(), 'reason?': text() }),
          'Of a dry run: all that is wrong with fields and payload',
        ),
        limit_bytes: count(),
        limit_items: count(),
      },
    },
    home: {
      route: 'GET /',
      summary: 'What this is, as a page',
      access: 'everyone',
      form: 1,
      about: 'A browser gets the console where there is one.',
      headers: { 'If-None-Match': { about: 'ETag of a copy of the console' } },
      answers: {
        200: {
          about: 'A page',
          content: { 'text/html': text() },
          headers: { ETag: 'Of the console, where that is the page' },
        },
        304: { about: 'The copy is good', headers: { ETag: 'Of the console' } },
      },
      errors: ['ERR_NOT_ACCEPTABLE', 'ERR_STORE_UNAVAILABLE'],
    },
  },
}
