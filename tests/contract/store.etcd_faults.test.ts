import { randomUUID } from 'node:crypto'
import { createEtcdStore } from '#shared/store/etcd/grpc.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { authContract } from './store_auth.contract.ts'
import { connectionContract } from './store_connection.contract.ts'
import { faultContract, type OpenOver } from './store_faults.contract.ts'

const open: OpenOver = async (endpoints, more = {}) =>
  createEtcdStore({
    endpoints: endpoints.map((url) => url.replace(/^http/, 'grpc')),
    clock: systemClock,
    random: randomUUID,
    logger: silentLogger,
    ...more,
  })

faultContract('gRPC', open)
connectionContract('gRPC', open)
authContract('gRPC', open)
