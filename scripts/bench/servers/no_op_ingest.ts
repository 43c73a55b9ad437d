/**
 * Starts the unchanged ingest on a store that does nothing.
 *
 * @module
 */

import process from 'node:process'
import { startSystem } from '#services/system/system.ts'
import { loadConfig } from '#services/system/settings.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { createSecretReader } from '#shared/secret.ts'
import { createNoOpStore } from '../no_op_store.ts'

const CONFIG_FILE = 'wrangler-like.config.json'

const platform = await detectPlatform()
const config = loadConfig(await platform.readText(CONFIG_FILE), CONFIG_FILE)
let url = ''
const system = startSystem({
  readSecret: createSecretReader({}),
  config,
  services: ['rest'],
  store: createNoOpStore(),
  schemas: createBuiltinSchemas(),
  clock: systemClock,
  random: platform.random,
  logger: silentLogger,
  identity: platform.identity,
  baseUrl: () => url,
  version: '0.0.0',
})
const server = await platform.serve(system.handle, { host: '127.0.0.1', port: 0 })
await system.ready
url = server.url
console.log(`Listening on ${url}`)
process.once('SIGTERM', () => process.exit(0))
