import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '#services/system/settings.ts'
import { isAvisoError } from '#shared/errors.ts'

const SERVICE = (name: string): object => ({ name, main: `services/${name}/handler.ts`, routes: ['/'] })
const FILE = { name: 'aviso', services: { rest: SERVICE('rest'), auth: SERVICE('auth') } }

function refuses(content: unknown, pattern: RegExp, environment?: string): void {
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  assert.throws(
    () => loadConfig(text, 'file.json', environment),
    (error) => {
      assert.ok(isAvisoError(error, 'ERR_CONFIG'), String(error))
      assert.match(error.message, pattern)
      return true
    },
  )
}

describe('loadConfig()', () => {
  it('fills in the defaults', () => {
    const config = loadConfig(JSON.stringify(FILE), 'file.json')
    assert.equal(config.vars.store, 'embedded:')
    assert.equal(config.dev.host, '127.0.0.1')
    assert.equal(config.workers.auth.vars.heartbeatSeconds, 5)
  })

  it('lays an environment over the file: objects are merged, everything else is replaced', () => {
    const file = {
      ...FILE,
      vars: { store: 'embedded:', schemas: ['flight'], logLevel: 'warn' },
      env: { etcd: { vars: { store: 'http://127.0.0.1:2379', schemas: ['ecmwf'] } } },
    }
    const { vars } = loadConfig(JSON.stringify(file), 'file.json', 'etcd')
    assert.deepEqual([vars.store, vars.schemas, vars.logLevel], ['http://127.0.0.1:2379', ['ecmwf'], 'warn'])
  })

  it('names file, path and reason of what it refuses', () => {
    refuses('{', /^file\.json: not JSON/)
    refuses([], /^file\.json: expected a JSON object/)
    refuses({ ...FILE, vars: { stroe: 'x' } }, /^file\.json: vars\.stroe: .*did you mean "store"\?$/)
    refuses({ ...FILE, dev: { port: 70_000 } }, /^file\.json: dev\.port: 70000 is too large: at most 65535$/)
    refuses({ name: 'aviso', services: {} }, /workers\.rest: /)
    const badRoute = { ...FILE.services, rest: { ...SERVICE('rest'), routes: ['api'] } }
    refuses(
      { ...FILE, services: badRoute },
      /workers\.rest\.routes\.0: "api" does not fit\. A route is a path/,
    )
  })

  it('refuses credentials for two kinds of store', () => {
    const storeUser = { name: 'root', passwordEnv: 'PASSWORD' }
    refuses(
      { ...FILE, vars: { storeUser, storeTokenEnv: 'TOKEN' } },
      /vars: Give storeUser .* or storeTokenEnv/,
    )
    for (const vars of [{ storeUser }, { storeTokenEnv: 'TOKEN' }]) {
      loadConfig(JSON.stringify({ ...FILE, vars }), 'file.json')
    }
  })

  it('refuses an environment that is not there, naming those that are', () => {
    refuses(
      { ...FILE, env: { etcd: {}, test: {} } },
      /no environment "x" under env: known are etcd, test$/,
      'x',
    )
    refuses(FILE, /no environment "toString" under env: it has none$/, 'toString')
  })

  it('refuses names that would reach a prototype', () => {
    refuses(
      `{"name":"aviso","services":${JSON.stringify(FILE.services)},"vars":{},"env":{"e":{"vars":{"__proto__":{"store":"x"}}}}}`,
      /__proto__/,
      'e',
    )
    assert.equal(({} as Record<string, unknown>)['store'], undefined)
  })
})
