/**
 * The answers of the etcd facade, in the JSON form of etcd 3.4 and 3.5: int64 as text, zero values left out.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import type { Answer } from '#shared/handler.ts'
import { usedUp } from '#shared/http/rate_limit.ts'
import { bodyDetails, challengeOf, jsonResponse, retryAfterOf, toAvisoError } from '#shared/http/respond.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import type { KeyValue, RangeResult, Revision, StoreEvent } from '#shared/store/store.ts'
import type { Logger } from '#shared/logger.ts'
import { nextTurn } from '#shared/time/turn.ts'

/** Response header of every message. */
export interface MessageHeader {
  readonly cluster_id: string
  readonly member_id: string
  readonly revision?: string
  readonly raft_term: string
}

/**
 * Makes headers. They do not show the store's real ids. `cluster_id` is derived from the store's epoch, so that a client sees the same id
 * from every process on the same store, and another id after the store was replaced.
 */
export function createHeader(epoch: string): (revision: Revision) => MessageHeader {
  const clusterId = clusterIdOf(epoch)
  return (revision) => ({
    cluster_id: clusterId,
    member_id: '1',
    ...(revision > 0n && { revision: revision.toString() }),
    raft_term: '1',
  })
}

/** Keys that are written in one turn: about a millisecond. */
const TURN_KEYS = 256

/** Body of a range answer. Others have their turns while it is written: 10,000 keys take 40 ms. */
export async function rangeMessage(
  header: MessageHeader,
  { kvs, more, count }: RangeResult,
  keysOnly: boolean,
): Promise<string> {
  const written: string[] = []
  for (let from = 0; from < kvs.length; from += TURN_KEYS) {
    if (from > 0) await nextTurn()
    const some = kvs.slice(from, from + TURN_KEYS).map((kv) => keyValueMessage(kv, keysOnly))
    // Without the brackets of a list.
    written.push(JSON.stringify(some).slice(1, -1))
  }
  const members = [`"header":${JSON.stringify(header)}`]
  if (written.length > 0) members.push(`"kvs":[${written.join(',')}]`)
  if (more) members.push('"more":true')
  if (count > 0n) members.push(`"count":"${count}"`)
  return `{${members.join(',')}}`
}

/** One event of a watch message. A put has no type, because its number is zero. */
export function eventMessage({ kind, kv }: StoreEvent): unknown {
  switch (kind) {
    case 'put':
      return { kv: keyValueMessage(kv, false) }
    case 'delete':
      return { type: 'DELETE', kv: { key: encodeBase64(kv.key), mod_revision: kv.modRevision.toString() } }
  }
}

function keyValueMessage(kv: KeyValue, keysOnly: boolean): unknown {
  return {
    key: encodeBase64(kv.key),
    create_revision: kv.createRevision.toString(),
    mod_revision: kv.modRevision.toString(),
    version: kv.version.toString(),
    // Present even when empty, unlike in etcd, because 1.x clients stop for good at a key without a value.
    ...(!keysOnly && { value: encodeBase64(kv.value) }),
    ...(kv.lease !== 0n && { lease: kv.lease.toString() }),
  }
}

interface FacadeError {
  readonly status: number
  /** gRPC code. */
  readonly code: number
  /** What 1.x clients read. */
  readonly message: string
  /** What etcd's own clients read; absent: the same. */
  readonly error?: string
}

const COMPACTED = 'etcdserver: mvcc: required revision has been compacted'
const FUTURE = 'etcdserver: mvcc: required revision is a future revision'
const UNAVAILABLE = 'Service currently unavailable, please try again later'

/** What `Allow` says on every path of the facade. */
export const FACADE_METHODS = 'POST, OPTIONS'

/** gRPC codes by HTTP status, for errors whose status decides the code. */
const GRPC_CODES: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  405: 12,
  408: 4,
  413: 8,
  415: 3,
  429: 8,
  503: 14,
}

/** gRPC's code for data that is lost or damaged for good. */
const DATA_LOSS = 15

/** An error in etcd 3.4's form (`error`, `message`, `code`), with the texts of the 1.x service in `message`. */
export function facadeErrorResponse(error: unknown, requestId: string, logger: Logger): Answer {
  const failure = toAvisoError(error)
  const { status, code, message, error: text } = describe(failure)
  const cause = failure.cause instanceof Error ? failure.cause.name : undefined
  logger(status < 500 ? 'debug' : 'error', failure.message, {
    code: failure.code,
    status,
    request_id: requestId,
    cause,
  })
  const body = { ...bodyDetails(failure), error: text ?? message, message, code, request_id: requestId }
  const retryAfter = retryAfterOf(failure, true)
  return jsonResponse(status, body, {
    'x-request-id': requestId,
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
    ...(status === 429 && retryAfter !== undefined && { ratelimit: usedUp(retryAfter) }),
    ...(status === 405 && { allow: FACADE_METHODS }),
    ...(status === 401 && { 'www-authenticate': challengeOf(failure) }),
  })
}

function describe(error: AvisoError): FacadeError {
  if (error.code === 'ERR_HISTORY_COMPACTED') {
    return { status: 400, code: 11, message: 'History not available', error: COMPACTED }
  }
  if (error.code === 'ERR_FUTURE_POSITION') return { status: 400, code: 11, message: FUTURE }
  // The words that name the key: who may read it may know them.
  if (error.code === 'ERR_STORE_DAMAGED') return { status: 503, code: DATA_LOSS, message: error.message }
  if (error.status === 503) return { status: 503, code: 14, message: UNAVAILABLE }
  if (error.status === 500) return { status: 500, code: 13, message: 'Server error occurred' }
  return { status: error.status, code: GRPC_CODES[error.status] ?? 2, message: error.message }
}

/** The last one, because every answer has it and a store keeps its epoch. */
let lastId = { epoch: '', id: fingerprint64('').toString() }

function clusterIdOf(epoch: string): string {
  if (epoch !== lastId.epoch) lastId = { epoch, id: fingerprint64(epoch).toString() }
  return lastId.id
}

/** FNV-1a over UTF-16 units: an id, not a secret. */
function fingerprint64(text: string): bigint {
  let hash = 0xcbf29ce484222325n
  for (let index = 0; index < text.length; index++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(index))) * 0x100000001b3n)
  }
  return hash
}
