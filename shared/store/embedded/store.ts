/**
 * The embedded store: etcd's semantics in SQLite, for one machine. Acknowledged means committed and synced to disk.
 *
 * Flow: ingest → **store** → hub → listener
 *
 * Each verb of the port has its file: range, txn, watch, compact, lease. The store in memory is the same on a database in memory.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { silentLogger, type Logger } from '#shared/logger.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import type { Clock } from '#shared/time/clock.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { checkRange, checkRevision, checkTtl, checkTxn } from '../check.ts'
import type { Store } from '../store.ts'
import { createCompactor } from './compact.ts'
import { createGroupCommit } from './group_commit.ts'
import { createLeaseKeeper } from './lease.ts'
import { readRange } from './range.ts'
import { newestRevision } from './revisions.ts'
import { begin, read, type StoreState } from './state.ts'
import { makeTables } from './tables.ts'
import { applyTxn } from './txn.ts'
import { createFeed } from './watch.ts'

/** A read that visits this many keys takes about a millisecond. */
const LONG_READ_KEYS = 256n

/** What the store is opened with, besides its database. */
export interface EmbeddedStoreParts {
  readonly clock: Clock
  readonly logger?: Logger
}

/**
 * Opens (and makes) the store in a database, which it owns from now on.
 *
 * @throws {AvisoError} `ERR_CONFIG` for tables of another version, or a database that cannot be read and written.
 */
export function openEmbeddedStore(
  database: SqlDatabase,
  { clock, logger = silentLogger }: EmbeddedStoreParts,
): Store {
  try {
    database.transaction(() => makeTables(database))
    return createStore({ database, clock, logger, newest: newestRevision(database), isClosed: false })
  } catch (cause) {
    database.close()
    if (isAvisoError(cause)) throw cause
    throw new AvisoError('ERR_CONFIG', 'The embedded store cannot be read or written: look at its disk', {
      cause,
    })
  }
}

function createStore(state: StoreState): Store {
  const { database } = state
  const feed = createFeed(state)
  const writes = createGroupCommit(state, feed)
  const leases = createLeaseKeeper(state, writes)
  const compact = createCompactor(state, writes)
  return {
    range: async (request, options) => {
      begin(state, options)
      checkRange(request)
      const result = read(() => readRange(database, request, state.newest))
      // A loop that pages through many keys must leave turns to others.
      if (result.count >= LONG_READ_KEYS) await nextTurn()
      return result
    },
    txn: async (request, options) => {
      begin(state, options)
      const bytes = checkTxn(request)
      return writes.add((current) => applyTxn(database, request, current), bytes, options?.signal)
    },
    watch: feed.watch,
    compact: async (target, options) => {
      begin(state, options)
      checkRevision(target)
      return compact(target, options)
    },
    grantLease: async (ttlSeconds, options) => {
      begin(state, options)
      checkTtl(ttlSeconds)
      return leases.grant(ttlSeconds)
    },
    status: async (options) => {
      begin(state, options)
      const sizeBytes = read(() => database.sizeBytes())
      return { version: 'embedded', revision: state.newest, sizeBytes, sizeInUseBytes: sizeBytes }
    },
    close: async () => {
      if (state.isClosed) return
      state.isClosed = true
      leases.stop()
      writes.drain()
      feed.close()
      database.close()
    },
  }
}
