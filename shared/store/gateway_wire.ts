/**
 * etcd's messages as the JSON gateway carries them: int64 as decimal text, bytes as base64, zero values left out.
 *
 * The same for 3.4 and 3.5; see `rpc.proto` of etcd for the messages.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { encodeBase64 } from './base64.ts'
import type {
  Compare,
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
} from './store.ts'

/** A JSON object that was received. */
export type WireObject = Readonly<Record<string, unknown>>

interface NativeBase64 {
  fromBase64?: (text: string) => Uint8Array
}

const NO_BYTES = new Uint8Array()

/** Field of a comparison's operand, by target. */
const OPERANDS = {
  MOD: 'mod_revision',
  CREATE: 'create_revision',
  VERSION: 'version',
  LEASE: 'lease',
  VALUE: 'value',
} as const

/** Body of `/v3/kv/range`. */
export function encodeRange(request: RangeRequest): string {
  return JSON.stringify(toWireRange(request))
}

/** Body of `/v3/kv/txn`. */
export function encodeTxn({ compare, success, failure = [] }: TxnRequest): string {
  return JSON.stringify({
    compare: compare.map(toWireCompare),
    success: success.map(toWireOperation),
    failure: failure.map(toWireOperation),
  })
}

/** Body of `/v3/watch`: one watch, with progress messages, large revisions in several messages. */
export function encodeWatch(range: KeyRange, from: Revision | undefined): string {
  return JSON.stringify({
    create_request: {
      ...toWireKeys(range),
      ...(from !== undefined && { start_revision: from.toString() }),
      progress_notify: true,
      fragment: true,
    },
  })
}

/**
 * A JSON object of text.
 *
 * @returns `undefined` for anything else.
 */
export function parseObject(text: string): WireObject | undefined {
  try {
    return toObject(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** An object of a received value; `undefined` for anything else. */
export function toObject(value: unknown): WireObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as WireObject)
    : undefined
}

/** The cluster that answered; `undefined` where the answer does not say. */
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
export function decodeTxn(message: WireObject, { success, failure = [] }: TxnRequest): TxnResult {
  const revision = decodeRevision(message)
  const succeeded = message['succeeded'] === true
  const operations = succeeded ? success : failure
  const responses = decodeList(message['responses'])
  if (responses.length !== operations.length) throw malformed()
  const results = operations.map(({ kind }, index) => decodeResult(kind, responses[index], revision))
  return { revision, succeeded, results }
}

/** The events of a watch message. @throws {AvisoError} `ERR_STORE_PROTOCOL` */
export function decodeEvents(message: WireObject): StoreEvent[] {
  return decodeList(message['events']).map((event) => {
    const kv = toObject(event['kv'])
    if (kv === undefined) throw malformed()
    const kind = event['type'] === 'DELETE' || event['type'] === 1 ? 'delete' : 'put'
    return { kind, kv: decodeKeyValue(kv) }
  })
}

/** An int64; absent is zero. @throws {AvisoError} `ERR_STORE_PROTOCOL` */
export function decodeInteger(value: unknown): bigint {
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (value === undefined) return 0n
  throw malformed()
}

/** The error of an answer that no etcd gives. */
export function malformed(cause?: unknown): AvisoError {
  return new AvisoError(
    'ERR_STORE_PROTOCOL',
    'The answer was not one of an etcd gateway: check the address of the store and what stands before it',
    { cause },
  )
}

function toWireKeys({ key, end }: KeyRange): object {
  return { key: encodeBase64(key), ...(end !== undefined && { range_end: encodeBase64(end) }) }
}

function toWireRange(request: RangeRequest): object {
  const { limit = 0, sortTarget, sortOrder, keysOnly = false, countOnly = false } = request
  return {
    ...toWireKeys(request),
    ...toWireInteger('revision', request.revision),
    ...(limit > 0 && { limit: String(limit) }),
    ...(sortTarget !== undefined && { sort_target: sortTarget }),
    ...(sortOrder !== undefined && { sort_order: sortOrder }),
    ...(keysOnly && { keys_only: true }),
    ...(countOnly && { count_only: true }),
    ...toWireInteger('min_mod_revision', request.minModRevision),
    ...toWireInteger('max_mod_revision', request.maxModRevision),
    ...toWireInteger('min_create_revision', request.minCreateRevision),
    ...toWireInteger('max_create_revision', request.maxCreateRevision),
  }
}

function toWireInteger(name: string, value: bigint | undefined): object {
  return value === undefined ? {} : { [name]: value.toString() }
}

function toWireCompare({ key, target, result, value }: Compare): object {
  return {
    key: encodeBase64(key),
    target,
    result,
    [OPERANDS[target]]: typeof value === 'bigint' ? value.toString() : encodeBase64(value),
  }
}

function toWireOperation(operation: StoreOperation): object {
  switch (operation.kind) {
    case 'put':
      return {
        request_put: {
          key: encodeBase64(operation.key),
          value: encodeBase64(operation.value),
          ...toWireInteger('lease', operation.lease),
        },
      }
    case 'delete':
      return { request_delete_range: toWireKeys(operation.range) }
    case 'range':
      return { request_range: toWireRange(operation.range) }
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

/** Unlike `decodeBase64` it does not look for other spellings of the same bytes: etcd writes but one. */
function decodeBytes(value: unknown): Uint8Array {
  if (value === undefined || value === '') return NO_BYTES
  if (typeof value !== 'string') throw malformed()
  try {
    const native = (Uint8Array as NativeBase64).fromBase64
    if (native !== undefined) return native.call(Uint8Array, value)
    const binary = atob(value)
    const bytes = new Uint8Array(binary.length)
    for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index)
    return bytes
  } catch (cause) {
    throw malformed(cause)
  }
}
