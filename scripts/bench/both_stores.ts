/**
 * Takes measurements of the whole system on its embedded store, and on etcd over gRPC.
 *
 * @module
 */

import { WIRES } from './bare_grpc.ts'
import type { EtcdCluster } from '../etcd/cluster.ts'
import { withEtcd } from './etcd_figures.ts'
import type { BenchProcess } from './processes.ts'
import type { Row } from './row.ts'
import { startAviso, withProcess } from './systems.ts'

/** @param measure Gets a system that has just started, its name in rows, and the etcd behind it if there is one. */
export async function onBothStores(
  measure: (aviso: BenchProcess, runtime: string, etcd?: EtcdCluster) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const embedded = await withProcess(startAviso(), (aviso) => measure(aviso, 'node'))
  const [, grpc] = WIRES
  const onEtcd = await withEtcd((etcd) =>
    withProcess(startAviso({ store: etcd.store.replace('http:', grpc?.scheme ?? 'gateway:') }), (aviso) =>
      measure(aviso, `node + etcd${grpc?.name ?? ''}`, etcd),
    ),
  )
  return [...embedded, ...onEtcd]
}
