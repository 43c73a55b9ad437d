/**
 * Leases: keys that are deleted when their time is over.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import type { Revision } from '../store.ts'
import type { GroupCommit, Written } from './group_commit.ts'
import { bytesIn, numberIn } from './rows.ts'
import type { StoreState } from './state.ts'
import type { KnownHeads } from './known_heads.ts'
import { deleteKeys } from './txn.ts'

/** How often the store looks for ended leases; etcd's own interval is 500 ms. */
const LEASE_CHECK_MS = 250
/** Ended leases handled at once. */
const MAX_ENDED_LEASES = 1_000

/** Keys of one lease that are deleted in one revision; what is left follows with the next check. */
const MAX_ENDED_KEYS = 10_000

/** The leases of a store. */
export interface LeaseKeeper {
  /** @returns A new lease's id. */
  grant(ttlSeconds: number): Promise<bigint>
  stop(): void
}

/** Grants leases and deletes the keys of ended ones. Its timer runs only while there are leases. */
export function createLeaseKeeper(state: StoreState, writes: GroupCommit, known: KnownHeads): LeaseKeeper {
  const { database, clock, logger } = state
  const parts = { database, known }
  // Ends are stored as dates, but pass evenly within this process: no key goes early because the machine's clock is set forward.
  const zero = clock.now() - clock.monotonic()
  const steadyNow = (): number => zero + clock.monotonic()
  let stopTimer: (() => void) | undefined
  let isEnding = false
  let isStopped = false

  function run(): void {
    if (!isStopped) stopTimer ??= clock.every(LEASE_CHECK_MS, () => void check())
  }
  function rest(): void {
    stopTimer?.()
    stopTimer = undefined
  }
  async function check(): Promise<void> {
    if (isEnding) return
    isEnding = true
    try {
      const ended = endedLeases(database, steadyNow())
      await Promise.all(ended.map((id) => writes.add((current) => endLease(parts, id, current), 0)))
      if (!isStopped && !hasLeases(database)) rest()
    } catch (error) {
      // The leases stay; the next check tries again.
      logger('warn', 'Ended leases could not be removed', {
        error: isAvisoError(error) ? error.code : 'ERR_INTERNAL',
      })
    } finally {
      isEnding = false
    }
  }
  if (hasLeases(database)) run()
  return {
    grant: async (ttlSeconds) => {
      const endsAt = Math.ceil(steadyNow() + ttlSeconds * 1_000)
      const id = await writes.add(() => ({ value: addLease(database, endsAt), events: [] }), 0)
      run()
      return id
    },
    stop: () => {
      isStopped = true
      rest()
    },
  }
}

function addLease(database: SqlDatabase, endsAt: number): bigint {
  database.run(`UPDATE meta SET value = value + 1 WHERE name = 'lease'`)
  const [row] = database.all(`SELECT value FROM meta WHERE name = 'lease'`)
  const id = numberIn(row, 'value')
  database.run('INSERT INTO leases (id, ends_at) VALUES (?, ?)', id, endsAt)
  return BigInt(id)
}

/** Deletes some keys of a lease, and the lease with the last of them. */
function endLease(
  { database, known }: { readonly database: SqlDatabase; readonly known: KnownHeads },
  id: number,
  current: Revision,
): Written<void> {
  const rows = database.all(
    `SELECT e.key FROM events e INDEXED BY events_by_lease WHERE e.lease <> 0 AND e.lease = ?
        AND NOT EXISTS (SELECT 1 FROM events n INDEXED BY events_by_key WHERE n.key = e.key AND n.id > e.id)
      ORDER BY e.key LIMIT ${MAX_ENDED_KEYS}`,
    id,
  )
  const keys = rows.map((row) => bytesIn(row, 'key'))
  const events = deleteKeys({ database, known }, keys, current + 1n)
  if (keys.length < MAX_ENDED_KEYS) database.run('DELETE FROM leases WHERE id = ?', id)
  return { value: undefined, events }
}

/** Ids of leases that end at or before a time (milliseconds since 1970); a bounded number, the earliest first. */
function endedLeases(database: SqlDatabase, now: number): readonly number[] {
  return database
    .all(`SELECT id FROM leases WHERE ends_at <= ? ORDER BY ends_at LIMIT ${MAX_ENDED_LEASES}`, now)
    .map((row) => numberIn(row, 'id'))
}

function hasLeases(database: SqlDatabase): boolean {
  return database.all('SELECT id FROM leases LIMIT 1').length > 0
}
