import { randomUUID } from 'node:crypto'
import { after, before, describe } from 'node:test'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { createGatewayStore } from '#shared/store/etcd/gateway.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { hubContract } from './hub.contract.ts'

const missing = await etcdMissing()

describe('etcd', { skip: missing }, () => {
  let etcd: EtcdCluster
  before(async () => {
    etcd = await startTestEtcd({ members: 1 })
  })
  after(() => etcd.close())
  hubContract('gateway', async () => {
    const { unary, watch } = (await detectPlatform()).storeFetch
    return createGatewayStore({
      endpoints: etcd.endpoints,
      fetch: unary,
      watchFetch: watch,
      clock: systemClock,
      random: randomUUID,
      logger: silentLogger,
    })
  })
})
