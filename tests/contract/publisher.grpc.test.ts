import { after, before, describe } from 'node:test'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { publisherContract } from './publisher.contract.ts'
import { openGrpcStore } from '../support/etcd_stores.ts'

describe('etcd of three members', { skip: await etcdMissing() }, () => {
  let etcd: EtcdCluster
  before(async () => {
    etcd = await startTestEtcd({ members: 3 })
  })
  after(() => etcd.close())
  publisherContract('gRPC', () => openGrpcStore(etcd.endpoints))
})
