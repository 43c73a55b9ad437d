import { randomUUID } from 'node:crypto'
import { createEtcdStore } from '#shared/store/etcd.ts'
import { systemClock } from '#shared/telemetry/clock.ts'
import { silentLogger } from '#shared/telemetry/logger.ts'
import { faultContract } from './store_faults.contract.ts'

faultContract('gRPC', async (endpoints, more = {}) =>
  createEtcdStore({
    endpoints: endpoints.map((url) => url.replace(/^http/, 'grpc')),
    clock: systemClock,
    random: randomUUID,
    logger: silentLogger,
    ...more,
  }),
)
