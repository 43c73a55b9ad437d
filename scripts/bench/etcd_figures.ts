/**
 * Starts etcd beside the system under measurement, and reads its figures.
 *
 * @module
 */

import { startEtcd, type EtcdCluster } from '../etcd/cluster.ts'
import { residentMebibytes } from './processes.ts'

/** Figures of an etcd member. */
export interface EtcdFigures {
  /** Open watches. */
  readonly watchers: number
  /** Range calls so far, alone and inside transactions. */
  readonly reads: number
  /** Watches opened so far. */
  readonly watchesOpened: number
  readonly residentMebibytes: number
}

/** Runs `use` with a new etcd of one member, and removes that etcd in any case. */
export async function withEtcd<Result>(use: (etcd: EtcdCluster) => Promise<Result>): Promise<Result> {
  const etcd = await startEtcd()
  try {
    return await use(etcd)
  } finally {
    await etcd.close()
  }
}

/** Reads the figures of a cluster's first member. */
export async function etcdFigures({ members: [member] }: EtcdCluster): Promise<EtcdFigures> {
  const text = await (await fetch(`${member?.url}/metrics`)).text()
  return {
    watchers: readMetric(text, 'etcd_debugging_mvcc_watcher_total'),
    reads: readMetric(text, 'etcd_debugging_mvcc_range_total'),
    watchesOpened: readMetric(
      text,
      'grpc_server_started_total{grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"}',
    ),
    residentMebibytes: residentMebibytes(member?.pid ?? 0),
  }
}

/** A value in a page of metrics; NaN when the page does not have it. */
export function readMetric(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1))
}
