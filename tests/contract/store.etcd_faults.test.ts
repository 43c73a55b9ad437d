import { authContract } from './store_auth.contract.ts'
import { connectionContract } from './store_connection.contract.ts'
import { largeContract } from './store_large.contract.ts'
import { faultContract } from './store_faults.contract.ts'
import { openEtcd3Store } from '../support/etcd_stores.ts'

faultContract('npm etcd3', openEtcd3Store)
connectionContract('npm etcd3', openEtcd3Store)
authContract('npm etcd3', openEtcd3Store)
largeContract('npm etcd3', openEtcd3Store)
