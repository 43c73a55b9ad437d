/**
 * A whole system in the process of a test, asked through its Fetch handler.
 *
 * @module
 */

import { startSystemMonitoring } from '#services/system/monitoring.ts'
import { startSystem, type System } from '#services/system/system.ts'
import type { SystemParts } from '#services/system/system_parts.ts'
import { silentLogger } from '#shared/logger.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { createSecretReader } from '#shared/secret.ts'
import { systemClock } from '#shared/time/clock.ts'
import { asDescribed } from './contract.ts'
import { createMemoryStore } from './memory_store.ts'

/** The public address of systems that have no socket. */
export const BASE_URL = 'http://aviso.test'

/** Schemas of tests: 1.x's default, ECMWF's, and one with every type that can be compared. */
export function createTestSchemas(): Schemas {
  const measure = {
    endpoint: [{ engine: ['etcd_rest'], base: '/test/measure', stem: '{region}/{severity}/{anomaly}/{day}' }],
    request: {
      region: [{ type: 'EnumHandler', values: ['north', 'south'] }],
      severity: [{ type: 'IntHandler', range: [1, 7] }],
      anomaly: [{ type: 'FloatHandler', range: [0, 200] }],
      day: [{ type: 'DateHandler', canonic: '%Y%m%d' }],
    },
  }
  return createBuiltinSchemas({ source: 'test', content: { measure } })
}

/** Starts a system; the test closes it. What `parts` does not name is silent, in memory, and without secrets. */
export function startTestSystem(
  parts: Partial<SystemParts> & Pick<SystemParts, 'config' | 'services'>,
): System {
  const { clock = systemClock } = parts
  const system = startSystem({
    startMonitoring: startSystemMonitoring,
    store: parts.store ?? createMemoryStore({ clock }),
    schemas: createTestSchemas(),
    clock,
    random: () => crypto.randomUUID(),
    logger: silentLogger,
    identity: { unixUser: 'test', hostname: 'test' },
    readSecret: createSecretReader({}),
    baseUrl: () => BASE_URL,
    version: '1.2.3',
    ...parts,
  })
  // A clock that runs fast would count the time of the check.
  return clock === systemClock ? { ...system, fetch: asDescribed(system.fetch) } : system
}
