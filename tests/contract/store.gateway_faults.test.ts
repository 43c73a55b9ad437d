import { randomUUID } from 'node:crypto'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { createGatewayStore } from '#shared/store/etcd/gateway.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { authContract } from './store_auth.contract.ts'
import { connectionContract } from './store_connection.contract.ts'
import { faultContract, type OpenOver } from './store_faults.contract.ts'

const open: OpenOver = async (endpoints, more = {}) => {
  const { unary, watch } = (await detectPlatform()).storeFetch
  const parts = {
    fetch: unary,
    watchFetch: watch,
    clock: systemClock,
    random: randomUUID,
    logger: silentLogger,
  }
  return createGatewayStore({ endpoints, ...parts, ...more })
}

faultContract('gateway', open)
connectionContract('gateway', open)
authContract('gateway', open)
