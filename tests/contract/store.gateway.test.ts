import { randomUUID } from 'node:crypto'
import { after, before, describe } from 'node:test'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { createGatewayStore } from '#shared/store/etcd/gateway.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { storeContract } from './store.contract.ts'
import type { KnownDefects } from './store_support.ts'

const missing = await etcdMissing()

/** Etcd of Debian 12. */
const DEFECTS: KnownDefects = { deletionAtCompactionLost: 'etcd#19251, mended in 3.4.36 and 3.5.18' }

for (const members of [1, 3]) {
  describe(`etcd, ${members} member(s)`, { skip: missing }, () => {
    let etcd: EtcdCluster
    before(async () => {
      etcd = await startTestEtcd({ members })
    })
    after(() => etcd.close())
    storeContract(
      `gateway of ${members} member(s)`,
      async () => {
        const { unary, watch } = (await detectPlatform()).storeFetch
        const open = async () =>
          createGatewayStore({
            endpoints: etcd.endpoints,
            fetch: unary,
            watchFetch: watch,
            clock: systemClock,
            random: randomUUID,
            logger: silentLogger,
          })
        return { store: await open(), reopen: open }
      },
      DEFECTS,
    )
  })
}
