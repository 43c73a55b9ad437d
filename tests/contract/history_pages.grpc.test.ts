import { after, describe } from 'node:test'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { openGrpcStore } from '../support/etcd_stores.ts'
import { historyPagesContract } from './history_pages.contract.ts'

describe('etcd', { skip: await etcdMissing() }, () => {
  const started: EtcdCluster[] = []
  after(() => Promise.all(started.map((etcd) => etcd.close())))

  // An etcd for each test, because numbers and history begin with the store.
  const open = async (): ReturnType<typeof openGrpcStore> => {
    const etcd = await startTestEtcd()
    started.push(etcd)
    return openGrpcStore(etcd.endpoints)
  }
  historyPagesContract('gRPC', open, { runs: 3 })
})
