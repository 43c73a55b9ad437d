/**
 * etcd's messages as the JSON gateway carries them: int64 as decimal text, bytes as base64, zero values left out. Over gRPC they have
 * bytes as they are, and zero values written out.
 *
 * The same for 3.4 and 3.5; see `rpc.proto` of etcd for the messages.
 *
 * @module
 */

import { NO_BYTES } from '#shared/bytes/bytes.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { decodeTrustedBase64 } from '#shared/bytes/base64.ts'
import { AvisoError } from '#shared/errors.ts'
import type {
  Compare,
  GuardedOperations,
  GuardedResult,
  KeyRange,
  KeyValue,
  OperationResult,
  RangeRequest,
  RangeResult,
  Revision,
  StoreEvent,
  StoreOperation,
  TxnRequest,
  TxnResult,
} from '../store.ts'

/** A JSON object that was received. */
export type WireObject = JsonRecord

/** How bytes stand in a message: {@link Transport.encodeBytes}. */
export type EncodeBytes = (bytes: Uint8Array) => unknown

/** Number of a comparison's target, and the field of its operand. */
const TARGETS = {
  VERSION: [0, 'version'],
  CREATE: [1, 'create_revision'],
  MOD: [2, 'mod_revision'],
  VALUE: [3, 'value'],
  LEASE: [4, 'lease'],
} as const
// By number, because the file that etcd3 reads names them otherwise.
const RESULTS = { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } as const
const SORT_TARGETS = { KEY: 0, VERSION: 1, CREATE: 2, MOD: 3, VALUE: 4 } as const
const SORT_ORDERS = { NONE: 0, ASCEND: 1, DESCEND: 2 } as const
/** Name of an event that deletes, in the gateway. */
const DELETION = 'DELETE'

/** `RangeRequest`, for `/v3/kv/range`. */
export function encodeRange(request: RangeRequest, bytes: EncodeBytes): object {
  const { limit = 0, sortTarget, sortOrder, keysOnly = false, countOnly = false } = request
  return {
    ...encodeKeys(request, bytes),
    ...encodeInteger('revision', request.revision),
    ...(limit > 0 && { limit: String(limit) }),
    ...(sortTarget !== undefined && { sort_target: SORT_TARGETS[sortTarget] }),
    ...(sortOrder !== undefined && { sort_order: SORT_ORDERS[sortOrder] }),
    ...(keysOnly && { keys_only: true }),
    ...(countOnly && { count_only: true }),
    ...encodeInteger('min_mod_revision', request.minModRevision),
    ...encodeInteger('max_mod_revision', request.maxModRevision),
    ...encodeInteger('min_create_revision', request.minCreateRevision),
    ...encodeInteger('max_create_revision', request.maxCreateRevision),
  }
}

/** `TxnRequest`, for `/v3/kv/txn`. */
export function encodeTxn({ parts = [], ...request }: TxnRequest, bytes: EncodeBytes): object {
  // In etcd, a part is a transaction in the transaction.
  const nested = parts.map((part) => ({ request_txn: encodeGuarded(part, bytes) }))
  return encodeGuarded(request, bytes, nested)
}

/** @param more Encoded operations behind those of `success`. */
function encodeGuarded(
  { compare, success, failure = [] }: GuardedOperations,
  bytes: EncodeBytes,
  more: readonly object[] = [],
): object {
  return {
    compare: compare.map((guard) => encodeCompare(guard, bytes)),
    success: [...success.map((operation) => encodeOperation(operation, bytes)), ...more],
    failure: failure.map((operation) => encodeOperation(operation, bytes)),
  }
}

/** A watch to open. */
export interface WatchOpening {
  readonly range: KeyRange
  /** First revision; `undefined`: the next one. */
  readonly from: Revision | undefined
  /** Whether etcd cuts messages above some 2 MiB. It then adds up the size of all events so far for each event: 50 µs an event. */
  readonly isCut: boolean
}

/** `WatchRequest`, for `/v3/watch`: one watch, with progress messages. */
export function encodeWatch({ range, from, isCut }: WatchOpening, bytes: EncodeBytes): object {
  return {
    create_request: {
      ...encodeKeys(range, bytes),
      ...encodeInteger('start_revision', from),
      progress_notify: true,
      ...(isCut && { fragment: true }),
    },
  }
}

/** An object of a received value; `undefined` for anything else. */
export function toObject(value: unknown): WireObject | undefined {
  return isJsonRecord(value) ? value : undefined
}

/** The cluster that answered; `undefined` if the answer does not name it. */
export function decodeClusterId(message: WireObject): string | undefined {
  const id = decodeInteger(toObject(message['header'])?.['cluster_id'])
  return id === 0n ? undefined : id.toString()
}

/** The store's revision in an answer. @throws {AvisoError} `ERR_STORE_PROTOCOL` where there is none. */
export function decodeRevision(message: WireObject): Revision {
  const revision = decodeInteger(toObject(message['header'])?.['revision'])
  if (revision <= 0n) throw malformed()
  return revision
}

/** Answer of `/v3/kv/range`. @throws {AvisoError} `ERR_STORE_PROTOCOL` */
export function decodeRange(message: WireObject, revision = decodeRevision(message)): RangeResult {
  return {
    revision,
    kvs: decodeList(message['kvs']).map(decodeKeyValue),
    count: decodeInteger(message['count']),
    more: message['more'] === true,
  }
}

/** Answer of `/v3/kv/txn`. @throws {AvisoError} `ERR_STORE_PROTOCOL` */
export function decodeTxn(message: WireObject, { parts = [], ...request }: TxnRequest): TxnResult {
  const revision = decodeRevision(message)
  if (parts.length === 0 || message['succeeded'] !== true)
    return { revision, ...decodeGuarded(message, request, revision) }
  const responses = decodeList(message['responses'])
  const own = responses.slice(0, request.success.length)
  const nested = responses.slice(request.success.length)
  if (nested.length !== parts.length) throw malformed()
  return {
    revision,
    ...decodeGuarded({ ...message, responses: own }, request, revision),
    parts: parts.map((part, index) => {
      const response = toObject(nested[index]?.['response_txn'])
      if (response === undefined) throw malformed()
      return decodeGuarded(response, part, revision)
    }),
  }
}

function decodeGuarded(
  message: WireObject,
  { success, failure = [] }: GuardedOperations,
  revision: Revision,
): GuardedResult {
  const succeeded = message['succeeded'] === true
  const operations = succeeded ? success : failure
  const responses = decodeList(message['responses'])
  if (responses.length !== operations.length) throw malformed()
  const results = operations.map(({ kind }, index) => decodeResult(kind, responses[index], revision))
  return { succeeded, results }
}

/** The events of a watch message of the gateway. @throws {AvisoError} `ERR_STORE_PROTOCOL` */
export function* decodeEvents(events: unknown): Generator<StoreEvent, void, undefined> {
  for (const event of decodeList(events)) {
    const kv = toObject(event['kv'])
    if (kv === undefined) throw malformed()
    const kind = event['type'] === DELETION ? 'delete' : 'put'
    yield { kind, kv: decodeKeyValue(kv) }
  }
}

/** An int64; absent is zero. @throws {AvisoError} `ERR_STORE_PROTOCOL` */
export function decodeInteger(value: unknown): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (value === undefined) return 0n
  throw malformed()
}

/** The error for an answer that does not come from etcd. */
export function malformed(cause?: unknown): AvisoError {
  return new AvisoError(
    'ERR_STORE_PROTOCOL',
    'The answer does not come from an etcd gateway: check the address of the store, and any proxy in front of it',
    { cause },
  )
}

function encodeKeys({ key, end }: KeyRange, bytes: EncodeBytes): object {
  return { key: bytes(key), ...(end !== undefined && { range_end: bytes(end) }) }
}

function encodeInteger(name: string, value: bigint | undefined): object {
  return value === undefined ? {} : { [name]: value.toString() }
}

function encodeCompare({ key, target, result, value }: Compare, bytes: EncodeBytes): object {
  const [number, operand] = TARGETS[target]
  return {
    key: bytes(key),
    target: number,
    result: RESULTS[result],
    [operand]: typeof value === 'bigint' ? value.toString() : bytes(value),
  }
}

function encodeOperation(operation: StoreOperation, bytes: EncodeBytes): object {
  switch (operation.kind) {
    case 'put': {
      const { key, value, lease } = operation
      return { request_put: { key: bytes(key), value: bytes(value), ...encodeInteger('lease', lease) } }
    }
    case 'delete':
      return { request_delete_range: encodeKeys(operation.range, bytes) }
    case 'range':
      return { request_range: encodeRange(operation.range, bytes) }
  }
}

function decodeResult(
  kind: StoreOperation['kind'],
  response: WireObject | undefined,
  revision: Revision,
): OperationResult {
  switch (kind) {
    case 'put':
      if (toObject(response?.['response_put']) === undefined) throw malformed()
      return { kind }
    case 'delete': {
      const deletion = toObject(response?.['response_delete_range'])
      if (deletion === undefined) throw malformed()
      return { kind, deleted: decodeInteger(deletion['deleted']) }
    }
    case 'range': {
      const range = toObject(response?.['response_range'])
      if (range === undefined) throw malformed()
      return { kind, result: decodeRange(range, revision) }
    }
  }
}

function decodeKeyValue(kv: WireObject): KeyValue {
  const key = decodeBytes(kv['key'])
  if (key.length === 0) throw malformed()
  return {
    key,
    value: decodeBytes(kv['value']),
    createRevision: decodeInteger(kv['create_revision']),
    modRevision: decodeInteger(kv['mod_revision']),
    version: decodeInteger(kv['version']),
    lease: decodeInteger(kv['lease']),
  }
}

function decodeList(value: unknown): WireObject[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw malformed()
  return value.map((item) => {
    const object = toObject(item)
    if (object === undefined) throw malformed()
    return object
  })
}

function decodeBytes(value: unknown): Uint8Array {
  if (value === undefined || value === '') return NO_BYTES
  // A copy, because gRPC's array is a part of the whole message and would keep all of it in memory.
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (typeof value !== 'string') throw malformed()
  try {
    return decodeTrustedBase64(value)
  } catch (cause) {
    throw malformed(cause)
  }
}
