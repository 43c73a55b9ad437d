/**
 * The bare limit of reading over gRPC: a watch of etcd through the package etcd3, without our code.
 *
 * @module
 */

import { Etcd3 } from 'etcd3'
import { createConnectHttp2 } from '#shared/runtime/http2.ts'
import { createGrpcTransport } from '#shared/store/etcd/grpc_transport.ts'
import { createStoreOver } from '#shared/store/etcd/store.ts'
import { ADAPTER, createBareStore, openGatewayStore, type BareStore, type Wire } from './bare_store.ts'

/** The two protocols of etcd: its JSON gateway and gRPC. */
export const WIRES: readonly Wire[] = [
  { name: '', scheme: 'gateway:', open: createBareStore, openOurs: openGatewayStore },
  {
    name: ' over gRPC',
    scheme: 'grpc:',
    open: createBareGrpc,
    openOurs: (endpoint) => {
      const transport = createGrpcTransport({
        connect: createConnectHttp2(process.env),
        clock: ADAPTER.clock,
      })
      return createStoreOver({ endpoints: [endpoint], transport, ...ADAPTER })
    },
  },
]

/** @param endpoint Address such as `http://127.0.0.1:2379`. */
export function createBareGrpc(endpoint: string): BareStore {
  // A watch of history answers with messages of many megabytes.
  const client = new Etcd3({ hosts: endpoint, grpcOptions: { 'grpc.max_receive_message_length': -1 } })
  return {
    readHistory: async (events) => {
      const startedAt = performance.now()
      const watcher = await client.watch().prefix('').startRevision('1').create()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      let seen = 0
      watcher.on('data', ({ events: received }) => {
        seen += received.length
        if (seen >= events) resolve()
      })
      watcher.on('error', reject)
      await promise
      const perSecond = (seen / (performance.now() - startedAt)) * 1_000
      await watcher.cancel()
      return perSecond
    },
    close: () => {
      client.close()
      return Promise.resolve()
    },
  }
}
