/**
 * `POST /v3/kv/range`: reads for 1.x clients and etcd tools. Only typed values from a client's body reach the store.
 *
 * @module
 */

import { knownFields, readBoolean, readEnum, readFields, readInt64, readKeyRange, refuse } from './fields.ts'
import { AvisoError } from '#shared/errors.ts'
import type { JsonValue } from '#shared/json/strict_json.ts'
import { contains, toKeyRange, type IntervalSet } from '#shared/access/interval.ts'
import { isKeyOrder, keyOrder } from '#shared/store/key_order.ts'
import type { CallOptions, RangeRequest, RangeResult, Store } from '#shared/store/store.ts'

/** Most keys in one answer, as 1.x clients ask for. A client that wants more asks again from the last key. */
export const MAX_RANGE_LIMIT = 10_000

const FIELDS = knownFields(
  'key',
  'range_end',
  'limit',
  'revision',
  'sort_order',
  'sort_target',
  'serializable',
  'keys_only',
  'count_only',
  'min_mod_revision',
  'max_mod_revision',
  'min_create_revision',
  'max_create_revision',
)

const SORT_ORDERS = ['NONE', 'ASCEND', 'DESCEND'] as const
/** etcd's fifth target, VALUE, is left out. No client needs it, and an order by value reveals something about values. */
const SORT_TARGETS = ['KEY', 'VERSION', 'CREATE', 'MOD'] as const

/**
 * Reads a client's request.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` naming the field at fault.
 */
export function parseRangeRequest(message: JsonValue): RangeRequest {
  const fields = readFields(message, FIELDS)
  // Accepted and not passed on: an answer of the whole cluster also serves a client that would accept one member's answer.
  readBoolean(fields, 'serializable')
  const limit = Number(readInt64(fields, 'limit') ?? 0n)
  if (limit > MAX_RANGE_LIMIT) throw refuse(`Field "limit" must be at most ${MAX_RANGE_LIMIT}`, 'limit')
  const options = {
    revision: readInt64(fields, 'revision'),
    sortOrder: readEnum(fields, 'sort_order', SORT_ORDERS),
    sortTarget: readEnum(fields, 'sort_target', SORT_TARGETS),
    keysOnly: readBoolean(fields, 'keys_only'),
    countOnly: readBoolean(fields, 'count_only'),
    minModRevision: readInt64(fields, 'min_mod_revision'),
    maxModRevision: readInt64(fields, 'max_mod_revision'),
    minCreateRevision: readInt64(fields, 'min_create_revision'),
    maxCreateRevision: readInt64(fields, 'max_create_revision'),
  }
  return { ...readKeyRange(fields), limit: limit === 0 ? MAX_RANGE_LIMIT : limit, ...withoutZeros(options) }
}

/**
 * Answers a read with the requested keys that are visible.
 *
 * @throws {AvisoError} `ERR_STORE_PROTOCOL` when the store answers with other keys, and the errors of {@link Store.range}.
 */
export async function readVisible(
  store: Pick<Store, 'range'>,
  visible: IntervalSet,
  request: RangeRequest,
  options: CallOptions = {},
): Promise<RangeResult> {
  const result = await readIntervals(store, request, visible, options)
  // Each key is checked again: a mistake in the calculation above, or in a store, must not show a key to the wrong client.
  if (!result.kvs.every((kv) => contains(visible, kv.key))) {
    throw new AvisoError('ERR_STORE_PROTOCOL', 'The store answered with keys that were not asked for')
  }
  return result
}

/** Reads every interval at one revision and joins the answers into one. */
async function readIntervals(
  store: Pick<Store, 'range'>,
  request: RangeRequest,
  intervals: IntervalSet,
  options: CallOptions,
): Promise<RangeResult> {
  const { key: _key, end: _end, ...common } = request
  const results: RangeResult[] = []
  for (const interval of intervals) {
    const revision = request.revision ?? results[0]?.revision
    const pinned = revision === undefined ? common : { ...common, revision }
    results.push(await store.range({ ...pinned, ...toKeyRange(interval) }, options))
  }
  const [first, ...others] = results
  if (first === undefined) throw new AvisoError('ERR_FORBIDDEN', 'User not allowed to access the resource')
  return others.length === 0 ? first : join(first, results, request)
}

function join(first: RangeResult, results: readonly RangeResult[], request: RangeRequest): RangeResult {
  const kvs = results.flatMap((result) => result.kvs)
  const sorted = isKeyOrder(request) ? kvs : kvs.toSorted(keyOrder(request))
  const limit = request.limit ?? MAX_RANGE_LIMIT
  return {
    revision: first.revision,
    kvs: sorted.slice(0, limit),
    count: results.reduce((sum, result) => sum + result.count, 0n),
    more: sorted.length > limit || results.some((result) => result.more),
  }
}

/** Drops options that are absent or zero, because both mean "not given" in the protocol. */
function withoutZeros<Options extends object>(
  options: Options,
): { [Name in keyof Options]?: NonNullable<Options[Name]> } {
  const given: { [Name in keyof Options]?: Options[Name] } = {}
  for (const name in options) {
    const value = options[name]
    if (value !== undefined && value !== 0n) given[name] = value
  }
  return given as { [Name in keyof Options]?: NonNullable<Options[Name]> }
}
