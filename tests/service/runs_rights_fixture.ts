/**
 * Users with rights of all kinds, and runs of all kinds that they may see or not.
 *
 * @module
 */

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { createConfiguredSchemas } from '#services/system/runs.ts'
import { loadConfig, type Config, type ServiceName } from '#services/system/settings.ts'
import type { System } from '#services/system/system.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { createSecretReader } from '#shared/secret.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { active, ECPDS_ACCOUNT, ECPDS_PASSWORD, ECPDS_PATH, startEcpds } from '../support/auth_servers.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { startTestSystem } from '../support/system.ts'

const X = { type: 'StringHandler', required: true }
/** An event type of 2.x whose keys go deeper than its runs. */
const EXTREME = {
  notification_schema: {
    extreme: {
      topic: { base: 'extreme', key_order: ['region', 'level', 'date', 'step'] },
      identifier: { region: X, level: { ...X, required: false }, date: { type: 'DateHandler' }, step: X },
    },
  },
}
const FILES = [
  { source: 'ecmwf', content: BUILTIN_SCHEMAS.get('ecmwf') },
  { source: 'extreme.json', content: EXTREME },
]

const RUNS = {
  mars: true,
  dissemination: true,
  extreme: { run: ['region', 'date'], product: ['step', 'level'], nominal: { date: 'date' } },
}
const MODEL = { class: 'od', stream: 'oper', expver: '0001', date: '20260610', time: '12' }
/** A run of each kind. The last ones are there to be mistaken for another. */
export const EXAMPLES = {
  mars: { event: 'mars', run: MODEL },
  foo: { event: 'dissemination', run: { ...MODEL, destination: 'FOO' } },
  foobar: { event: 'dissemination', run: { ...MODEL, destination: 'FOOBAR' } },
  north: { event: 'extreme', run: { region: 'north', date: '20260610' } },
  south: { event: 'extreme', run: { region: 'south', date: '20260610' } },
} as const
export type Example = keyof typeof EXAMPLES
export const ALL = Object.keys(EXAMPLES) as readonly Example[]

/** Who may listen to what, and which runs that makes visible. */
export const USERS: Readonly<
  Record<string, { readonly listen?: unknown; readonly sees: readonly Example[] }>
> = {
  everything: { listen: 'everything', sees: ALL },
  mars: { listen: ['mars'], sees: ['mars'] },
  two: { listen: ['mars', '/aviso2/extreme/south/'], sees: ['mars', 'south'] },
  foo: { listen: [{ event: 'dissemination', prefixes: ['/ec/diss/FOO/'] }], sees: ['foo'] },
  diss: { listen: ['/ec/diss/'], sees: ['foo', 'foobar'] },
  above: { listen: ['/ec/'], sees: ['mars', 'foo', 'foobar'] },
  north: { listen: ['/aviso2/extreme/north/'], sees: ['north'] },
  // A part of the products of the run.
  level: { listen: ['/aviso2/extreme/north/7/'], sees: [] },
  // The fixed segment of mars is no destination.
  dash: { listen: [{ event: 'mars', prefixes: ['/ec/mars/-/'] }], sees: [] },
  // Notifications of runs lie below, and are no right of their own.
  beneath: { listen: ['/aviso/'], sees: [] },
  ecpds: { sees: ['foo'] },
  none: { sees: [] },
}
export const NAMES = Object.keys(USERS)

export const tokenOf = (name: string): string => `a-long-token-of-${name}`
export const bearer = (name: string): Record<string, string> => ({ authorization: `Bearer ${tokenOf(name)}` })

/** A running system. */
export interface Scene {
  readonly system: System
  /** Who may do what, for a change of it. */
  readonly policy: Config['vars']['policy']
  readonly store: Store
  readonly schemas: Schemas
  close(): Promise<void>
}

/** Starts a system with all users. */
export async function startScene(services: readonly ServiceName[], origin?: Store): Promise<Scene> {
  const ecpds = await startEcpds({ ecpds: active('FOO') })
  const rules = NAMES.map((name) => ({
    realm: 'local',
    users: [name],
    publish: 'everything',
    ...(USERS[name]?.listen !== undefined && { listen: USERS[name].listen }),
  }))
  const relay = { realm: 'local', users: ['relay'], listen: ['/ec/diss/FOO/'], relay: true }
  const vars = {
    ...configFile.vars,
    runs: RUNS,
    ...(origin !== undefined && { storeTokenEnv: 'RELAY' }),
    identity: {
      realm: 'local',
      providers: [
        {
          kind: 'tokens',
          tokens: [...NAMES, 'relay'].map((username) => ({
            username,
            realm: 'local',
            secretEnv: username.toUpperCase(),
          })),
        },
      ],
    },
    policy: {
      rules: [...rules, relay],
      destinations: {
        url: ecpds.url + ECPDS_PATH,
        username: ECPDS_ACCOUNT,
        passwordEnv: 'ECPDS_PASSWORD',
        realms: ['local'],
        plaintext: true,
      },
    },
  }
  const config = loadConfig(JSON.stringify({ ...configFile, vars }), 'test')
  const schemas = createConfiguredSchemas(FILES, config.vars)
  const store = origin ?? createMemoryStore({ clock: systemClock })
  const secrets = Object.fromEntries([...NAMES, 'relay'].map((name) => [name.toUpperCase(), tokenOf(name)]))
  const system = startTestSystem({
    config,
    services,
    store,
    schemas,
    readSecret: createSecretReader({ ...secrets, ECPDS_PASSWORD }),
  })
  await system.ready
  return {
    system,
    policy: config.vars.policy,
    store,
    schemas,
    close: async () => {
      await system.close()
      await ecpds.close()
    },
  }
}
