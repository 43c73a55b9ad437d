import { after, before, describe } from 'node:test'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { hubContract } from './hub.contract.ts'
import { openGrpcStore } from '../support/etcd_stores.ts'

const missing = await etcdMissing()

describe('etcd', { skip: missing }, () => {
  let etcd: EtcdCluster
  before(async () => {
    etcd = await startTestEtcd({ members: 1 })
  })
  after(() => etcd.close())
  hubContract('gRPC', () => openGrpcStore(etcd.endpoints))
})
