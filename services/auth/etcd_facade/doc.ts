/**
 * Describes the routes for etcd's clients.
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
  object,
  oneOf,
  POSITION_ERRORS,
  READ_ERRORS,
  named,
  text,
  type JsonSchema,
  type RoomDoc,
} from '#shared/http/doc.ts'

const int64 = (description?: string): JsonSchema => ({
  type: ['string', 'integer', 'null'],
  ...(description !== undefined && { description }),
})
const yes: JsonSchema = { type: ['boolean', 'null'] }
const bytes = (description: string): JsonSchema => ({
  type: 'string',
  contentEncoding: 'base64',
  description,
})

const range = object({
  key: bytes('First key, as base64'),
  'range_end?': {
    type: ['string', 'null'],
    contentEncoding: 'base64',
    description: 'End of the range, exclusive',
  },
  'limit?': int64('Most keys: at most 10,000'),
  'revision?': int64(),
  'sort_order?': { type: ['string', 'integer', 'null'], description: 'NONE, ASCEND, DESCEND' },
  'sort_target?': { type: ['string', 'integer', 'null'], description: 'KEY, VERSION, CREATE, MOD' },
  'serializable?': yes,
  'keys_only?': yes,
  'count_only?': yes,
  'min_mod_revision?': int64('What was written since'),
  'max_mod_revision?': int64(),
  'min_create_revision?': int64(),
  'max_create_revision?': int64(),
})

const header = object({
  cluster_id: text(),
  member_id: text(),
  'revision?': digits(),
  raft_term: text(),
})

const keyValue = object({
  key: bytes('As base64'),
  'create_revision?': digits(),
  mod_revision: digits(),
  'version?': digits(),
  'value?': bytes('As base64'),
  'lease?': digits(),
})

/** etcd takes each name in camel case, too. */
const watch = object({
  key: bytes('First key, as base64'),
  'range_end?': { type: ['string', 'null'], contentEncoding: 'base64' },
  'start_revision?': int64(),
  'progress_notify?': yes,
  'fragment?': yes,
  'prev_kv?': { enum: [false, null] },
  'filters?': { type: ['array', 'null'], maxItems: 0 },
  'watch_id?': { enum: [0, '0', null] },
})

/** The routes. */
export const doc: RoomDoc = {
  tag: 'etcd',
  about: "Two routes of etcd's JSON gateway, read only, for aviso 1.x and etcd's clients.",
  schemas: {
    EtcdHeader: header,
    EtcdKeyValue: keyValue,
    EtcdWatchMessage: object({
      'result?': object({
        header: named('EtcdHeader'),
        'created?': flag(),
        'canceled?': flag(),
        'compact_revision?': digits(),
        'events?': list(object({ 'type?': oneOf(['DELETE'], 'Absent: a put'), kv: named('EtcdKeyValue') })),
      }),
      'error?': object({
        grpc_code: count(),
        http_code: count(),
        http_status: text(),
        message: text(),
      }),
    }),
  },
  operations: {
    etcdRange: {
      route: 'POST /v3/kv/range',
      summary: 'Read keys',
      access: 'listener',
      form: 'etcd',
      body: {
        content: json(range),
        examples: {
          flights: { key: 'L3RtcC9hdmlzby9mbGlnaHQv', range_end: 'L3RtcC9hdmlzby9mbGlnaHQw' },
        },
      },
      answers: {
        200: {
          about: "As etcd's own: zeros are left out",
          content: json(
            object({
              header: named('EtcdHeader'),
              'kvs?': list(named('EtcdKeyValue')),
              'more?': flag(),
              'count?': digits(),
            }),
          ),
          headers: QUOTA_HEADERS,
        },
      },
      errors: [...BODY_ERRORS, ...READ_ERRORS, ...POSITION_ERRORS, 'ERR_INVALID_RANGE'],
    },
    etcdWatch: {
      route: 'POST /v3/watch',
      summary: 'Follow keys',
      access: 'listener',
      form: 'etcd',
      body: {
        content: json({ anyOf: [object({ create_request: watch }), object({ createRequest: watch })] }),
      },
      answers: {
        200: {
          about: 'Lines of JSON, as etcd sends them',
          items: { 'application/json': named('EtcdWatchMessage') },
          headers: QUOTA_HEADERS,
        },
      },
      errors: [...BODY_ERRORS, ...READ_ERRORS, ...POSITION_ERRORS, 'ERR_INVALID_RANGE'],
    },
  },
}
