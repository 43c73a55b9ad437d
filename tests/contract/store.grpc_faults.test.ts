import { authContract } from './store_auth.contract.ts'
import { connectionContract } from './store_connection.contract.ts'
import { largeContract } from './store_large.contract.ts'
import { faultContract } from './store_faults.contract.ts'
import { openGrpcStore } from '../support/etcd_stores.ts'

faultContract('gRPC', openGrpcStore)
connectionContract('gRPC', openGrpcStore)
authContract('gRPC', openGrpcStore)
largeContract('gRPC', openGrpcStore)
