import { authContract } from './store_auth.contract.ts'
import { connectionContract } from './store_connection.contract.ts'
import { largeContract } from './store_large.contract.ts'
import { faultContract } from './store_faults.contract.ts'
import { openGatewayStore } from '../support/etcd_stores.ts'

faultContract('gateway', openGatewayStore)
connectionContract('gateway', openGatewayStore)
authContract('gateway', openGatewayStore)
largeContract('gateway', openGatewayStore)
