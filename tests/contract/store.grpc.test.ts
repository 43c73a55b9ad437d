import { after, before, describe } from 'node:test'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { storeContract } from './store.contract.ts'
import type { KnownDefects } from './store_support.ts'
import { openGrpcStore } from '../support/etcd_stores.ts'

const missing = await etcdMissing()

/** Etcd of Debian 12. */
const DEFECTS: KnownDefects = { deletionAtCompactionLost: 'etcd#19251, mended in 3.4.36 and 3.5.18' }

for (const members of [1, 3]) {
  describe(`etcd over gRPC, ${members} member(s)`, { skip: missing }, () => {
    let etcd: EtcdCluster
    before(async () => {
      etcd = await startTestEtcd({ members })
    })
    after(() => etcd.close())
    const open = () => openGrpcStore(etcd.endpoints)
    storeContract(
      `gRPC of ${members} member(s)`,
      async () => ({ store: await open(), reopen: open }),
      DEFECTS,
    )
  })
}
