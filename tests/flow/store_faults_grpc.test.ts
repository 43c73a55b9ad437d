import { randomUUID } from 'node:crypto'
import { createEtcdStore } from '#shared/store/etcd/grpc.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { grpcFaults } from './store_fault_cases.ts'
import { storeFaultContract } from './store_faults.contract.ts'

await storeFaultContract('gRPC', {
  open: async (port) =>
    createEtcdStore({
      endpoints: [`grpc://127.0.0.1:${port}`],
      clock: systemClock,
      random: randomUUID,
      logger: silentLogger,
    }),
  faults: grpcFaults,
})
