/**
 * Compacts the store in a fault test: never what the oracle has not read, and never what is younger than ids live.
 *
 * @module
 */

import type { FaultCluster } from './cluster.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { GIVE_UP_MS } from './publisher.ts'
import type { Compaction } from './records.ts'

/** Reads the truth all the time, and compacts now and then, as an operator's job would, and on request. */
export interface Compactor {
  readonly oracle: Oracle
  /** Everything asked for. */
  readonly compactions: readonly Compaction[]
  /** Compacts as far as it may. @returns Whether there was anything to compact. */
  compact(): Promise<boolean>
  stop(): Promise<void>
}

/**
 * History that stays: an ingest learns the ids of others from it, so it must be longer than a notification is retried: the
 * publisher's patience and the ingest's own deadline together.
 */
const RETENTION_MS = GIVE_UP_MS + 12_000
const READ_EVERY_MS = 500
/** Readings between two compactions. */
const READINGS = 6
const COMPACT_MS = 2_000

/** Starts reading. */
export function startCompactor(cluster: FaultCluster): Compactor {
  const oracle = createOracle(cluster.members.map(({ url }) => url))
  const compactions: Compaction[] = []
  /** Where the store's head was, and when, oldest first. */
  const heads: Compaction[] = []
  let compacted = 0n
  let isStopped = false
  let turn = 0
  const compact = async (): Promise<boolean> => {
    const oldEnough = performance.now() - RETENTION_MS
    const revision = withoutDeletion(oracle, heads.findLast(({ at }) => at < oldEnough)?.revision ?? 0n)
    if (revision <= compacted) return false
    compacted = revision
    const member = cluster.members[turn++ % cluster.members.length]
    // Written down before it is sent, for it may be done without an answer.
    compactions.push({ revision, at: performance.now() })
    await fetch(`${member?.url}/v3/kv/compaction`, {
      method: 'POST',
      body: JSON.stringify({ revision: revision.toString() }),
      signal: AbortSignal.timeout(COMPACT_MS),
    })
      .then((response) => response.text())
      .catch(() => undefined)
    return true
  }
  const reading = (async () => {
    for (let reading = 1; !isStopped; reading++) {
      await oracle.readOn().catch(() => undefined)
      // Everything up to there was written by now, so it is at least as old as this.
      heads.push({ at: performance.now(), revision: oracle.through })
      if (reading % READINGS === 0) await compact()
      await new Promise((done) => setTimeout(done, READ_EVERY_MS))
    }
  })()
  return {
    oracle,
    compactions,
    compact,
    stop: async () => {
      isStopped = true
      await reading
    },
  }
}

/**
 * The newest revision up to `limit` that deletes nothing: etcd before 3.4.36 and 3.5.18 drops deletions of the very revision it compacts to from what is read later
 * (etcd#19251), and it is not etcd that is tested here.
 */
function withoutDeletion({ revisions }: Oracle, limit: bigint): bigint {
  const found = revisions.findLast(
    ({ revision, writes }) => revision <= limit && writes.every(({ kind }) => kind === 'put'),
  )
  return found?.revision ?? 0n
}
