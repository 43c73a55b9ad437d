/**
 * The store port over a {@link Backend}: group commit, watches, leases, compaction.
 *
 * Flow: ingest → **store** → hub → listener
 *
 * Writes that arrive in one turn of the event loop share one durable transaction of the backend, each with a revision of
 * its own. Nothing is acknowledged, readable or watched before that transaction is on disk.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { Backend, CompactPosition } from './backend.ts'
import { checkRange, checkRevision, checkTtl, checkTxn } from '../check.ts'
import { closedError, createFeed } from './feed.ts'
import { createGroupCommit, type GroupCommit, type Write } from './group_commit.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { applyDeletion, applyTxn, compactedError, evaluateRange, futureError } from './txn.ts'
import type { CallOptions, Revision, Store } from '../store.ts'

/** How often ended leases are looked for; etcd's own interval is 500 ms. */
const LEASE_CHECK_MS = 250

/** A read that visits this many keys takes about a millisecond. */
const LONG_READ_KEYS = 256n

/** What a store is made with. */
export interface MvccStoreParts {
  readonly clock: Clock
  readonly logger: Logger
}

/** A store over a backend, which it owns from now on. */
export function createMvccStore(backend: Backend, { clock, logger }: MvccStoreParts): Store {
  let revision = backend.revision()
  let closed = false
  let compaction: Promise<void> = Promise.resolve()

  const feed = createFeed({ backend, clock, revision: () => revision, read })
  const writes = createGroupCommit({
    backend,
    logger,
    committed: (entries, current) => {
      revision = current
      for (const entry of entries) feed.publish(entry)
    },
    failed: () => {
      // What is on disk decides, not what we think we wrote. If that cannot be read either, the next write looks again.
      try {
        revision = backend.revision()
      } catch (error) {
        logger('error', 'The store could not be read after a failed write', { cause: String(error) })
      }
      feed.wake()
    },
  })
  const leases = createLeaseKeeper({ backend, clock, logger, write: (write) => writes.add(write, 0) })

  function begin({ signal }: CallOptions = {}): void {
    if (closed) throw closedError()
    if (signal?.aborted === true)
      throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The call was given up before anything was done')
  }
  return {
    range: async (request, options) => {
      begin(options)
      checkRange(request)
      const result = read(() => evaluateRange(backend, request, revision))
      // A loop that pages through many keys must leave turns to others.
      if (result.count >= LONG_READ_KEYS) await nextTurn()
      return result
    },
    txn: async (request, options) => {
      begin(options)
      const size = checkTxn(request)
      return writes.add(
        (current) => {
          const { result, events } = applyTxn(backend, request, current)
          return { value: result, events }
        },
        size,
        options?.signal,
      )
    },
    watch: (request) => feed.watch(request),
    compact: async (target, options) => {
      begin(options)
      checkRevision(target)
      // One at a time, in the order of the calls.
      const run = async (): Promise<void> => {
        begin(options)
        await forget(target, { backend, writes, begin })
      }
      const done = compaction.then(run, run)
      compaction = done
      return done
    },
    grantLease: async (ttlSeconds, options) => {
      begin(options)
      checkTtl(ttlSeconds)
      return leases.grant(ttlSeconds)
    },
    status: async (options) => {
      begin(options)
      const sizeBytes = read(() => backend.sizeBytes())
      return { version: backend.version, revision, sizeBytes, sizeInUseBytes: sizeBytes }
    },
    close: async () => {
      if (closed) return
      closed = true
      leases.stop()
      writes.drain()
      feed.close()
      backend.close()
    },
  }
}

/** Runs a read, its failures turned into `AvisoError`. */
function read<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (cause) {
    if (isAvisoError(cause)) throw cause
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store could not be read: look at its disk', { cause })
  }
}

/** What a compaction works with. */
interface CompactionParts {
  readonly backend: Backend
  readonly writes: GroupCommit
  /** Throws once the store is closed. */
  readonly begin: () => void
}

/** Makes a revision the oldest readable one at once, then drops what lies before it, in steps that let writers in between. */
async function forget(target: Revision, { backend, writes, begin }: CompactionParts): Promise<void> {
  await writes.add((current) => {
    if (target > current) throw futureError(target, current)
    if (target <= backend.compacted()) throw compactedError(backend.compacted())
    backend.setCompacted(target)
    return { value: undefined, events: [] }
  }, 0)
  let position: CompactPosition | undefined
  do {
    await nextTurn()
    begin()
    const from = position
    position = writes.now(() => backend.compactStep(from))
  } while (position !== undefined)
  while (read(() => backend.reclaim())) {
    await nextTurn()
    begin()
  }
}

/** What the keeper of leases is made with. */
interface LeaseKeeperParts extends MvccStoreParts {
  readonly backend: Backend
  readonly write: <Value>(write: Write<Value>) => Promise<Value>
}

/** Grants leases and deletes the keys of ended ones. Its timer runs only while there are leases. */
function createLeaseKeeper({ backend, clock, logger, write }: LeaseKeeperParts): {
  readonly grant: (ttlSeconds: number) => Promise<bigint>
  readonly stop: () => void
} {
  let stopTimer: (() => void) | undefined
  let ending = false
  let stopped = false
  const rest = (): void => {
    stopTimer?.()
    stopTimer = undefined
  }
  const end = (id: bigint): Promise<void> =>
    write((current) => {
      const events = applyDeletion(backend, backend.leaseKeys(id), current + 1n)
      backend.removeLease(id)
      return { value: undefined, events }
    })
  const check = async (): Promise<void> => {
    if (ending) return
    ending = true
    try {
      await Promise.all(backend.endedLeases(clock.now()).map(end))
      if (!stopped && backend.endedLeases(Number.MAX_SAFE_INTEGER).length === 0) rest()
    } catch (error) {
      // The leases stay; the next check tries again.
      logger('warn', 'Ended leases could not be removed', {
        error: isAvisoError(error) ? error.code : 'ERR_INTERNAL',
      })
    } finally {
      ending = false
    }
  }
  const run = (): void => {
    if (!stopped) stopTimer ??= clock.every(LEASE_CHECK_MS, () => void check())
  }
  if (backend.endedLeases(Number.MAX_SAFE_INTEGER).length > 0) run()
  return {
    grant: async (ttlSeconds) => {
      const endsAt = clock.now() + ttlSeconds * 1_000
      const id = await write(() => ({ value: backend.addLease(endsAt), events: [] }))
      run()
      return id
    },
    stop: () => {
      stopped = true
      rest()
    },
  }
}
