import { grpcFaults } from './store_fault_cases.ts'
import { storeFaultContract } from './store_faults.contract.ts'
import { openGrpcStore } from '../support/etcd_stores.ts'

await storeFaultContract('gRPC', {
  open: (port) => openGrpcStore([`http://127.0.0.1:${port}`]),
  faults: grpcFaults,
})
