/**
 * Aviso, as `npm start` starts it, in the place of a peer.
 *
 * @module
 */

import { startEtcd } from '../../etcd/cluster.ts'
import { liveStreams, runLoads } from '../generator.ts'
import { LIVE_PATH } from '../listeners.ts'
import { numberedBatch, numberedNotification } from '../notifications.ts'
import { cpuSeconds, type BenchProcess, type BenchRuntime } from '../processes.ts'
import { PUBLISH_PATH, startAviso } from '../systems.ts'
import type { Peer, PeerServer } from './peer.ts'

/** Notifications in a request while a store is filled. */
const FILL = 100
const FILL_CONNECTIONS = 4
const FILL_LIMIT_MS = 120_000

/** Aviso with the embedded store. */
export function ourPeer(runtime: BenchRuntime): Peer {
  return {
    name: `Aviso, ${runtime}`,
    isDurable: true,
    start: async () => toServer(await startAviso({ runtime })),
  }
}

/** Aviso on etcd of one member, over gRPC. */
export const ourPeerOnEtcd: Peer = {
  name: 'Aviso, node + etcd',
  isDurable: true,
  start: async () => {
    const etcd = await startEtcd()
    const started = startAviso({ store: etcd.store.replace('http:', 'grpc:') })
    const aviso = await started.catch(async (error: unknown) => {
      await etcd.close()
      throw error
    })
    const server = toServer(aviso)
    return {
      ...server,
      // A system with a store beside it costs what both cost.
      cpuSeconds: () => aviso.cpuSeconds() + cpuSeconds(etcd.members[0]?.pid ?? 0),
      stop: async () => {
        await aviso.stop()
        await etcd.close()
      },
    }
  },
}

function toServer(aviso: BenchProcess): PeerServer {
  return {
    url: aviso.url,
    cpuSeconds: () => aviso.cpuSeconds(),
    stop: () => aviso.stop(),
    publish: (load) => ({ path: PUBLISH_PATH, body: numberedNotification(), ...load }),
    listen: (connections) => liveStreams(connections, { isTimed: true }),
    replay: async (count) => {
      const body = numberedBatch(FILL)
      const many = {
        path: PUBLISH_PATH,
        body,
        connections: FILL_CONNECTIONS,
        requests: count / FILL,
        perRequest: FILL,
      }
      await runLoads(aviso.url, { until: FILL_LIMIT_MS }, [many])
      return liveStreams(1, { path: `${LIVE_PATH}&from_id=1`, expect: count })
    },
  }
}
