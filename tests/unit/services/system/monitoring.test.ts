import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createInstruments } from '#services/system/instruments.ts'
import { startSystemMonitoring } from '#services/system/monitoring.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { isAvisoError } from '#shared/errors.ts'
import { loadConfig } from '#services/system/settings.ts'
import { createRegistry } from '#shared/observe/metrics/registry.ts'
import { createMemoryStore } from '../../../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { createSecretReader } from '#shared/secret.ts'
import { createTestSchemas } from '../../../support/system.ts'

const service = { name: 'n', main: 'm', routes: [] }
const configWith = (vars: object, telemetry?: object) =>
  loadConfig(
    JSON.stringify({
      name: 'test',
      vars: telemetry === undefined ? {} : { telemetry },
      services: { rest: service, auth: service, monitoring: { ...service, vars } },
    }),
    'test',
  )

const common = {
  access: createOpenAccess(),
  clock: systemClock,
  logger: silentLogger,
  random: () => 'id',
  schemas: createTestSchemas(),
  readSecret: createSecretReader({}),
}

function isConfigError(name: string): (error: unknown) => boolean {
  return (error) => isAvisoError(error, 'ERR_CONFIG') && error.message.includes(name)
}

describe('startSystemMonitoring()', () => {
  it('refuses to start without a secret that is named, or with one that fits no header', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const start = (vars: object, environment: Readonly<Record<string, string>> = {}): void => {
      startSystemMonitoring({
        ...common,
        config: configWith(vars),
        store,
        readSecret: createSecretReader(environment),
        metrics: createRegistry(),
      })
    }
    const opsview = [{ url: 'http://127.0.0.1:1', username: 'u', passwordEnv: 'PASS', serviceHost: 'h' }]
    assert.throws(() => start({ telemetryTokenEnv: 'TOKEN' }), isConfigError('TOKEN'))
    assert.throws(() => start({ telemetryTokenEnv: 'TOKEN' }, { TOKEN: 'a b' }), isConfigError('TOKEN'))
    assert.throws(() => start({ opsview }), isConfigError('PASS'))
    assert.throws(() => start({ udp: { port: 1 } }), isConfigError('udp'))
    await store.close()
  })
})

describe('the etcd that is watched', () => {
  for (const [address, expected, more] of [
    ['http://a:1,http://b:1/', ['http://a:1', 'http://b:1']],
    // etcd answers HTTP on the port of its gRPC.
    ['grpc://a:1', ['http://a:1']],
    ['grpcs://a:1', ['https://a:1']],
    ['embedded:', []],
    ['http://another-aviso:1', [], { storeTokenEnv: 'TOKEN' }],
  ] as const)
    it(`is the store: ${address}`, async () => {
      const store = createMemoryStore({ clock: systemClock })
      const origins = new Set<string>()
      const config = configWith({})
      const monitoring = startSystemMonitoring({
        ...common,
        config: { ...config, vars: { ...config.vars, ...more, store: address } },
        store,
        metrics: createRegistry(),
        fetch: async (url) => {
          origins.add(new URL(url).origin)
          throw new TypeError('nobody is there')
        },
      })
      // The status waits for the first look.
      await monitoring.handle(new Request('http://127.0.0.1/api/v1/monitoring/status'))
      await monitoring.close()
      await store.close()
      assert.deepEqual([...origins], expected)
    })
})

describe('createInstruments()', () => {
  it('refuses telemetry that cannot be sent', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const identity = { hostname: 'h' }
    const start = (telemetry: object, environment: Readonly<Record<string, string>> = {}): void => {
      const config = configWith({}, telemetry)
      createInstruments({
        ...common,
        config,
        services: [],
        store,
        identity,
        version: '1',
        accept: undefined,
        readSecret: createSecretReader(environment),
      })
    }
    const http = { url: 'http://127.0.0.1:1/api/v1/telemetry', tokenEnv: 'TOKEN' }
    assert.throws(() => start({ udp: {} }), isConfigError('udp'))
    assert.throws(() => start({ http }), isConfigError('TOKEN'))
    assert.throws(() => start({ http }, { TOKEN: 'x\ny' }), isConfigError('TOKEN'))
    await store.close()
  })
})

describe('loadConfig(), monitoring', () => {
  it('refuses what cannot be meant', () => {
    const rows: readonly object[] = [
      { windowMinutes: 0 },
      { windowMinutes: 61 },
      { pollSeconds: 0 },
      { udp: { port: 0 } },
      { restResponseSeconds: { warning: 20, critical: 10 } },
      { restResponseSeconds: { warning: -1, critical: 10 } },
      { etcd: { urls: [] } },
      { etcd: { urls: ['file:///etc/passwd'] } },
      { etcd: { urls: ['http://a:1/'] } },
      { pods: { url: 'http://a', namespace: 'a"b' } },
      { opsview: [{ url: 'http://a', username: 'u\n', passwordEnv: 'P', serviceHost: 'h' }] },
      { opsview: [{ url: 'http://a', username: 'u', password: 'secret', serviceHost: 'h' }] },
      { telemetryTokenEnv: 'not a name' },
      { unknown: 1 },
    ]
    for (const vars of rows) {
      assert.throws(() => configWith(vars), isConfigError('workers.monitoring.vars'), JSON.stringify(vars))
    }
    assert.equal(configWith({ etcd: null }).workers.monitoring.vars.etcd, null)
  })
})
