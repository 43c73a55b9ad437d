/**
 * The store port over etcd, for all ways of carrying messages (JSON gateway and gRPC).
 *
 * Flow: ingest → **store** → hub → listener
 *
 * @module
 */

import { AvisoError, HistoryCompacted, oldestRevisionOf } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import type { Logger } from '#shared/logger.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { operationsIn, txnWithPastReads } from './past_reads.ts'
import { compacted } from './errors.ts'
import { createCaller, type Caller } from './call.ts'
import type { GatewayAuth } from './login.ts'
import { STATUS_LIMIT_MS, STATUS_PATH } from './members.ts'
import type { Transport } from './transport.ts'
import { watchGateway, type WatchParts } from './watch.ts'
import {
  decodeInteger,
  decodeRange,
  decodeRevision,
  decodeTxn,
  encodeRange,
  encodeTxn,
  type WireObject,
} from './wire.ts'
import { checkRange, checkRevision, checkTtl, checkTxn } from '../check.ts'
import type {
  CallOptions,
  RangeRequest,
  RangeResult,
  Revision,
  Store,
  TxnRequest,
  TxnResult,
} from '../store.ts'

/** A member that holds a write longer is stopped or cut off. The writer can then check the outcome and go on, within about 3 s. */
const WRITE_LIMIT_MS = 2_000
/** Without a quorum etcd would wait 7 s and more; another member may have one. */
const READ_LIMIT_MS = 2_000
/** Reading an interval of a million keys takes etcd seconds, and is waited for while the member tells its status. */
const LONGEST_READ_MS = 30_000
/** Dropping versions takes a few milliseconds, unless the disk is busy. */
const COMPACT_LIMIT_MS = 10_000
/** Time limit of finding the oldest revision for an error, which is not worth a long wait. */
const OLDEST_LIMIT_MS = 1_000

/** The key of reads that are not about a key. A role may allow only keys that begin with it. */
const SOME_KEY = toBytes('/')

/** Options of the store. */
export interface EtcdStoreParts {
  /** Addresses of members of one cluster, without a path. */
  readonly endpoints: readonly string[]
  readonly transport: Transport
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  /** etcd's user, where it has users. */
  readonly auth?: GatewayAuth | undefined
}

/** Makes the store. Nothing is asked of etcd before the first call. */
export function createStoreOver(parts: EtcdStoreParts): Store {
  const { transport, clock } = parts
  const caller = createCaller(parts)
  const watchParts: WatchParts = { caller, transport, clock }
  const askRange = (request: RangeRequest, options?: CallOptions): Promise<WireObject> =>
    caller.call({
      path: '/v3/kv/range',
      message: encodeRange(request, transport.encodeBytes),
      writes: false,
      limitMs: READ_LIMIT_MS,
      longestMs: request.end === undefined ? undefined : LONGEST_READ_MS,
      signal: options?.signal,
    })
  const range = async (request: RangeRequest, options?: CallOptions): Promise<RangeResult> => {
    checkRange(request)
    const result = decodeRange(await namingOldest(watchParts, () => askRange(request, options)))
    // etcd counts the whole interval for every answer, however small its limit is.
    options?.onCounted?.(Math.max(0, Number(result.count) - result.kvs.length))
    return result
  }
  const txn = async (request: TxnRequest, options?: CallOptions): Promise<TxnResult> => {
    checkTxn(request)
    const writes = operationsIn(request).some(({ kind }) => kind !== 'range')
    const answer = await caller.call({
      path: '/v3/kv/txn',
      message: encodeTxn(request, transport.encodeBytes),
      writes,
      limitMs: writes ? WRITE_LIMIT_MS : READ_LIMIT_MS,
      signal: options?.signal,
    })
    return decodeWritten(writes, () => decodeTxn(answer, request))
  }
  return {
    range,
    txn: (request, options) => txnWithPastReads({ range, txn }, request, options),
    watch: (request) => watchGateway(watchParts, request),
    compact: async (revision, options) => {
      checkRevision(revision)
      await namingOldest(watchParts, () => compact(caller, revision, options))
    },
    grantLease: async (ttlSeconds, options) => {
      checkTtl(ttlSeconds)
      // A lease without keys ends by itself, so a second one does no harm.
      const answer = await caller.call({
        path: '/v3/lease/grant',
        message: { TTL: String(ttlSeconds) },
        writes: false,
        limitMs: WRITE_LIMIT_MS,
        signal: options?.signal,
      })
      return decodeInteger(answer['ID'])
    },
    status: async (options) => {
      // A silent member is passed over here, in less time than a probe has. So the read goes to one that answers.
      const status = await caller.call({
        path: STATUS_PATH,
        message: {},
        writes: false,
        limitMs: STATUS_LIMIT_MS,
        signal: options?.signal,
      })
      // A member answers with its own revision without asking the others, and may be behind them.
      const revision = decodeRevision(await askRange({ key: SOME_KEY, countOnly: true }, options))
      const { version } = status
      return {
        version: `etcd ${typeof version === 'string' ? version : 'of unknown version'} over ${transport.way}`,
        revision,
        sizeBytes: Number(decodeInteger(status['dbSize'])),
        sizeInUseBytes: Number(decodeInteger(status['dbSizeInUse'])),
      }
    },
    close: () => {
      caller.close()
      transport.close()
      return Promise.resolve()
    },
  }
}

async function compact(
  caller: Caller,
  revision: Revision,
  options: CallOptions | undefined,
): Promise<WireObject> {
  return caller.call({
    path: '/v3/kv/compaction',
    message: { revision: revision.toString() },
    writes: true,
    limitMs: COMPACT_LIMIT_MS,
    signal: options?.signal,
  })
}

/** A write was carried out even if its answer cannot be read. */
function decodeWritten<Value>(writes: boolean, decode: () => Value): Value {
  try {
    return decode()
  } catch (cause) {
    if (!writes) throw cause
    throw new AvisoError('ERR_OUTCOME_UNKNOWN', 'The store answered a write in a form that cannot be read', {
      cause,
    })
  }
}

/** Adds the oldest revision to an error about compacted history, which etcd tells to watches alone. */
async function namingOldest<Value>(parts: WatchParts, call: () => Promise<Value>): Promise<Value> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof HistoryCompacted)) throw error
    const oldest = await findOldest(parts)
    throw oldest === undefined ? error : compacted(oldest, error)
  }
}

async function findOldest(parts: WatchParts): Promise<Revision | undefined> {
  const look = async (signal: AbortSignal): Promise<undefined> => {
    for await (const { kind } of watchGateway(parts, { key: SOME_KEY, from: 1n, signal })) {
      if (kind !== 'created') return undefined
    }
    return undefined
  }
  try {
    return await runWithin(look, { clock: parts.clock, ms: OLDEST_LIMIT_MS, late: () => undefined })
  } catch (error) {
    return oldestRevisionOf(error)
  }
}
