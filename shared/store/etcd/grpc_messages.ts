/**
 * The methods of etcd's gRPC that are used, and their messages: names and numbers of fields are those of etcd's `rpc.proto` and `kv.proto`
 * (3.4 to 3.6 have the same). Watch messages, which come by the thousand, are read in `packed_events.ts`.
 *
 * @see https://github.com/etcd-io/etcd/blob/v3.5.16/api/etcdserverpb/rpc.proto
 * @see https://github.com/etcd-io/etcd/blob/v3.5.16/api/mvccpb/kv.proto
 * @module
 */

import { messageType, type MessageType } from './protobuf.ts'

/** `ResponseHeader` */
const HEADER = messageType({
  cluster_id: [1, 'integer'],
  member_id: [2, 'integer'],
  revision: [3, 'integer'],
})

/** `mvccpb.KeyValue` */
const KEY_VALUE = messageType({
  key: [1, 'bytes'],
  create_revision: [2, 'integer'],
  mod_revision: [3, 'integer'],
  version: [4, 'integer'],
  value: [5, 'bytes'],
  lease: [6, 'integer'],
})

const RANGE_REQUEST = messageType({
  key: [1, 'bytes'],
  range_end: [2, 'bytes'],
  limit: [3, 'integer'],
  revision: [4, 'integer'],
  sort_order: [5, 'integer'],
  sort_target: [6, 'integer'],
  keys_only: [8, 'flag'],
  count_only: [9, 'flag'],
  min_mod_revision: [10, 'integer'],
  max_mod_revision: [11, 'integer'],
  min_create_revision: [12, 'integer'],
  max_create_revision: [13, 'integer'],
})

const RANGE_RESPONSE = messageType({
  header: [1, HEADER],
  kvs: [2, [KEY_VALUE]],
  more: [3, 'flag'],
  count: [4, 'integer'],
})

const PUT_REQUEST = messageType({ key: [1, 'bytes'], value: [2, 'bytes'], lease: [3, 'integer'] })
const DELETE_RANGE_REQUEST = messageType({ key: [1, 'bytes'], range_end: [2, 'bytes'] })

const COMPARE = messageType({
  result: [1, 'integer'],
  target: [2, 'integer'],
  key: [3, 'bytes'],
  version: [4, 'integer'],
  create_revision: [5, 'integer'],
  mod_revision: [6, 'integer'],
  value: [7, 'bytes'],
  lease: [8, 'integer'],
})

const OPERATIONS = {
  request_range: [1, RANGE_REQUEST],
  request_put: [2, PUT_REQUEST],
  request_delete_range: [3, DELETE_RANGE_REQUEST],
} as const

/** A transaction in a transaction. */
const NESTED_TXN_REQUEST = messageType({
  compare: [1, [COMPARE]],
  success: [2, [messageType(OPERATIONS)]],
  failure: [3, [messageType(OPERATIONS)]],
})

const REQUEST_OP = messageType({ ...OPERATIONS, request_txn: [4, NESTED_TXN_REQUEST] })

const TXN_REQUEST = messageType({
  compare: [1, [COMPARE]],
  success: [2, [REQUEST_OP]],
  failure: [3, [REQUEST_OP]],
})

/** Their headers repeat that of the transaction. */
const RESULTS = {
  response_range: [1, messageType({ kvs: [2, [KEY_VALUE]], more: [3, 'flag'], count: [4, 'integer'] })],
  response_put: [2, messageType({})],
  response_delete_range: [3, messageType({ deleted: [2, 'integer'] })],
} as const

const NESTED_TXN_RESPONSE = messageType({ succeeded: [2, 'flag'], responses: [3, [messageType(RESULTS)]] })

const RESPONSE_OP = messageType({ ...RESULTS, response_txn: [4, NESTED_TXN_RESPONSE] })

const TXN_RESPONSE = messageType({
  header: [1, HEADER],
  succeeded: [2, 'flag'],
  responses: [3, [RESPONSE_OP]],
})

const WATCH_CREATE_REQUEST = messageType({
  key: [1, 'bytes'],
  range_end: [2, 'bytes'],
  start_revision: [3, 'integer'],
  progress_notify: [4, 'flag'],
  fragment: [8, 'flag'],
})

/** Only the header of an answer. */
const HEADED = messageType({ header: [1, HEADER] })

/** A method that is called once. */
export interface GrpcMethod {
  /** Path of HTTP/2. */
  readonly path: string
  readonly request: MessageType
  readonly response: MessageType
}

/** Paths of the gateway → methods. */
export const METHODS: Readonly<Record<string, GrpcMethod>> = {
  '/v3/kv/range': { path: '/etcdserverpb.KV/Range', request: RANGE_REQUEST, response: RANGE_RESPONSE },
  '/v3/kv/txn': { path: '/etcdserverpb.KV/Txn', request: TXN_REQUEST, response: TXN_RESPONSE },
  '/v3/kv/compaction': {
    path: '/etcdserverpb.KV/Compact',
    request: messageType({ revision: [1, 'integer'] }),
    response: HEADED,
  },
  '/v3/lease/grant': {
    path: '/etcdserverpb.Lease/LeaseGrant',
    request: messageType({ TTL: [1, 'integer'], ID: [2, 'integer'] }),
    response: messageType({ header: [1, HEADER], ID: [2, 'integer'], TTL: [3, 'integer'] }),
  },
  '/v3/maintenance/status': {
    path: '/etcdserverpb.Maintenance/Status',
    request: messageType({}),
    response: messageType({
      header: [1, HEADER],
      version: [2, 'text'],
      dbSize: [3, 'integer'],
      leader: [4, 'integer'],
      dbSizeInUse: [9, 'integer'],
    }),
  },
  '/v3/auth/authenticate': {
    path: '/etcdserverpb.Auth/Authenticate',
    request: messageType({ name: [1, 'text'], password: [2, 'text'] }),
    response: messageType({ header: [1, HEADER], token: [2, 'text'] }),
  },
}

/** The method that watches: messages in both directions. */
export const WATCH = {
  path: '/etcdserverpb.Watch/Watch',
  request: messageType({ create_request: [1, WATCH_CREATE_REQUEST] }),
} as const
