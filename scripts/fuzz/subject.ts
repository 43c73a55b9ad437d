/**
 * Starts the service to be fuzzed: the listening service with a listener that has few rights. Its real etcd also holds keys of other users
 * on every side of the listener's keys.
 *
 * @module
 */

import { startSystem, type System } from '#services/system/system.ts'
import { loadConfig, type Config } from '#services/system/settings.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { openStore } from '#shared/store/open/open.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { createSecretReader } from '#shared/secret.ts'
import configFile from '../../wrangler-like.config.json' with { type: 'json' }

/** Prefixes of the listener's own keys. */
export const ALLOWED = ['/ec/diss/FOO/', '/ec/mars/'] as const
const TOKEN = 'token-of-the-fuzzed-listener'
/** Keys on every side of the listener's own. */
const KEYS: readonly (string | Uint8Array)[] = [
  Uint8Array.of(0),
  '/',
  '/a/open',
  '/ec/diss/BAR/d=1',
  '/ec/diss/FO',
  '/ec/diss/FOO',
  '/ec/diss/FOO/d=1',
  '/ec/diss/FOO/d=2',
  '/ec/diss/FOO/d=3',
  '/ec/diss/FOO0',
  '/ec/diss/FOOBAR/d=1',
  '/ec/diss/foo/d=1',
  '/ec/mars',
  '/ec/mars/d=1',
  '/ec/mars/d=2',
  '/ec/mars0',
  '/ec/marsupial/d=1',
  '/zz/secret',
  Uint8Array.of(0xff),
]

/** The service under test. */
export interface Subject {
  readonly system: System
  /** Number of reads of the store that requests have caused so far. */
  reads(): number
  /** Sends a body as the listener. */
  send(path: string, body: Uint8Array, signal?: AbortSignal): Promise<Response>
  close(): Promise<void>
}

/** Starts the service on the etcd at `address`, and fills that etcd. */
export async function startSubject(address: string): Promise<Subject> {
  const platform = await detectPlatform()
  const parts = { platform, dataFolder: '', clock: systemClock, logger: silentLogger }
  const store = await openStore(address, parts)
  for (const key of KEYS) {
    const bytes = typeof key === 'string' ? toBytes(key) : key
    await store.txn({ compare: [], success: [{ kind: 'put', key: bytes, value: toBytes('v') }] })
  }
  const counted = countReads(store)
  const system = startSystem({
    config: config(),
    services: ['auth'],
    store: counted.store,
    schemas: createBuiltinSchemas(),
    clock: systemClock,
    random: platform.random,
    logger: silentLogger,
    identity: platform.identity,
    readSecret: createSecretReader({ FUZZ_TOKEN: TOKEN }),
    baseUrl: () => 'http://127.0.0.1',
    version: '0.0.0',
  })
  await system.ready
  return {
    system,
    reads: counted.reads,
    send: (path, body, signal) => {
      const init = {
        method: 'POST',
        body: new Uint8Array(body),
        headers: { authorization: `Bearer ${TOKEN}` },
      }
      return system.fetch(
        new Request(`http://127.0.0.1${path}`, signal === undefined ? init : { ...init, signal }),
      )
    },
    close: () => system.close(),
  }
}

function config(): Config {
  const tokens = [{ username: 'joe', realm: 'local', secretEnv: 'FUZZ_TOKEN' }]
  const many = { perSecond: 1e6, burst: 1e6 }
  const vars = {
    ...configFile.vars,
    identity: { providers: [{ kind: 'tokens', tokens }] },
    policy: { rules: [{ realm: 'local', listen: ALLOWED }] },
    quota: { streamsPerPrincipal: 10_000, opensPerPrincipal: many, readsPerPrincipal: many },
  }
  return loadConfig(JSON.stringify({ ...configFile, vars }), 'fuzz')
}

function countReads(store: Store): { readonly store: Store; readonly reads: () => number } {
  let reads = 0
  return {
    reads: () => reads,
    store: {
      ...store,
      range: (request, options) => {
        reads++
        return store.range(request, options)
      },
    },
  }
}
