import { gatewayFaults } from './store_fault_cases.ts'
import { storeFaultContract } from './store_faults.contract.ts'
import { openGatewayStore } from '../support/etcd_stores.ts'

await storeFaultContract('the JSON gateway', {
  open: (port) => openGatewayStore([`http://127.0.0.1:${port}`]),
  faults: gatewayFaults,
})
