/**
 * Real etcd for tests: started by the test that needs it, skipped with a reason where there is none, and required under `CI`.
 *
 * ```ts
 * describe('…', { skip: await etcdMissing() }, () => {
 *   let etcd: EtcdCluster
 *   before(async () => { etcd = await startTestEtcd({ members: 3 }) })
 *   after(() => etcd.close())
 * ```
 *
 * @module
 */

import { findEtcd } from '../../scripts/etcd/binary.ts'
import { startEtcd, type EtcdCluster, type EtcdOptions } from '../../scripts/etcd/cluster.ts'
import { missing } from './missing.ts'

export type { EtcdCluster, EtcdOptions }

/**
 * Why tests against real etcd cannot run here, or `false` when they can.
 *
 * @throws {Error} Instead of the reason where `CI` is set: there a missing etcd is a failure.
 */
export function etcdMissing(): Promise<string | false> {
  return missing(findEtcd)
}

/** A throw-away cluster that loses a leader and finds the next one quickly, and tells progress every second. */
export function startTestEtcd(options: EtcdOptions = {}): Promise<EtcdCluster> {
  return startEtcd({ heartbeatMs: 60, electionMs: 600, ...options })
}
