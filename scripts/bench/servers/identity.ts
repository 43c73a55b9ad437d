/**
 * Starts the listening service on a small store in memory, with or without identities, together with stand-ins for the identity servers.
 *
 * @module
 */

import process from 'node:process'
import { startSystem } from '#services/system/system.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { createSecretReader } from '#shared/secret.ts'
import { configOf, startAccessStandIns } from '../../../tests/support/auth_servers_system.ts'

/** Keys of the destination that is read. A 1.x listener polls every half minute, so it finds only a few. */
const KEYS = 10

const platform = await detectPlatform()
const hasIdentities = process.argv[2] === 'identities'
const standIns = await startAccessStandIns()
const store = openEmbeddedStore(await platform.openDatabase(undefined), { clock: systemClock })
for (let index = 0; index < KEYS; index++) {
  const key = toBytes(`/ec/diss/SCL/date=20260810,target=E1,step=${index}`)
  await store.txn({ compare: [], success: [{ kind: 'put', key, value: toBytes(`s3://bucket/${index}`) }] })
}
let url = ''
const system = startSystem({
  // One listener makes the whole load, so its quota must not limit it.
  config: configOf(
    hasIdentities ? { ...standIns.vars, quota: { readsPerPrincipal: { perSecond: 1e6, burst: 1e6 } } } : {},
  ),
  services: ['auth'],
  store,
  schemas: createBuiltinSchemas(),
  clock: systemClock,
  random: platform.random,
  logger: silentLogger,
  identity: platform.identity,
  readSecret: createSecretReader(standIns.environment),
  baseUrl: () => url,
  version: '0.0.0',
})
const server = await platform.serve(system.handle, { host: '127.0.0.1', port: 0 })
await system.ready
url = server.url
console.log(`Listening on ${url}`)
process.once('SIGTERM', () => process.exit(0))
