import { randomUUID } from 'node:crypto'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { createGatewayStore } from '#shared/store/etcd/gateway.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { gatewayFaults } from './store_fault_cases.ts'
import { storeFaultContract } from './store_faults.contract.ts'

const { unary, watch } = (await detectPlatform()).storeFetch

await storeFaultContract('the JSON gateway', {
  open: async (port) =>
    createGatewayStore({
      endpoints: [`http://127.0.0.1:${port}`],
      fetch: unary,
      watchFetch: watch,
      clock: systemClock,
      random: randomUUID,
      logger: silentLogger,
    }),
  faults: gatewayFaults,
})
