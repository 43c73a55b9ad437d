import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import shipped from '../../../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig, readConfig, schedulesOf } from '#services/system/settings.ts'
import { flawLine } from '#shared/config/explain.ts'

const entry = (name: string, more: object = {}): object => ({
  name,
  main: `services/${name}/worker.ts`,
  routes: [`/${name}`],
  ...more,
})
const WORKERS = { rest: entry('rest'), auth: entry('auth') }

function read(file: object | string, environment?: string): ReturnType<typeof readConfig> {
  return readConfig(typeof file === 'string' ? file : JSON.stringify(file), 'file.jsonc', environment)
}

describe('a file with "workers"', () => {
  it('may have comments, and commas behind the last element', () => {
    const text = `// of ours\n${JSON.stringify({ name: 'a//b', workers: WORKERS }).replace('{', '{ /* name, } */ ').replace(/\}$/, ',\n// end\n}')}`
    const { settings, flaws, notices } = read(text)
    assert.deepEqual([settings?.name, flaws, notices], ['a//b', [], []])
  })

  it('takes from above into an environment what wrangler does, and says what it does not', () => {
    const file = {
      name: 'aviso',
      vars: { store: 'embedded:memory', logLevel: 'warn' },
      dev: { port: 1 },
      workers: {
        ...WORKERS,
        rest: entry('rest', {
          vars: { strictIds: true },
          compatibility_flags: ['a'],
          env: { test: { routes: ['/test'] } },
        }),
        auth: entry('auth', { vars: { maxStreams: 5 } }),
      },
      env: { test: { vars: { store: 'embedded:' } } },
    }
    const { settings, flaws, notices } = read(file, 'test')
    assert.deepEqual(flaws, [])
    assert.equal(settings?.vars.store, 'embedded:')
    // Its default, because the environment has variables of its own.
    assert.equal(settings.vars.logLevel, 'info')
    assert.equal(settings.dev.port, 1)
    const { rest, auth } = settings.workers
    assert.deepEqual([rest.routes, rest.compatibility_flags, rest.vars.strictIds], [['/test'], ['a'], false])
    // A worker without this environment is as it is without one.
    assert.equal(auth.vars.maxStreams, 5)
    assert.deepEqual(notices, [
      'env.test has no "vars.logLevel", and an environment does not take it from above: repeat there what it needs',
      'workers.rest.env.test has no "vars", and an environment does not take it from above: repeat there what it needs',
    ])
  })

  it('tells of a typo in any environment, asked for or not, at its place', () => {
    const file = {
      name: 'aviso',
      workers: { ...WORKERS, rest: entry('rest', { env: { b: { vars: { strictId: true } } } }) },
      env: { a: { vars: { stroe: 'x' } } },
    }
    for (const environment of [undefined, 'a', 'b']) {
      const lines = read(file, environment).flaws.map(flawLine).toSorted()
      assert.equal(lines.length, 2, lines.join('\n'))
      assert.match(String(lines[0]), /^env\.a\.vars\.stroe: .*did you mean "store"/)
      assert.match(String(lines[1]), /^workers\.rest\.env\.b\.vars\.strictId: .*did you mean "strictIds"/)
    }
    assert.throws(() => read(file, 'c'), /no environment "c" under env: known are a, b$/)
  })
})

describe('a file of version 0.1', () => {
  const { workers: _workers, env: _env, ...top } = shipped
  const { rest, auth, admin, monitoring } = shipped.workers
  const { jobs: _jobs, ...vars } = admin.vars
  const file = {
    ...top,
    services: {
      rest: { ...rest, main: 'services/rest/handler.ts', port: 8081 },
      auth,
      admin: { ...admin, vars, triggers: { crons: { compact: '5 * * * *', clean: null } } },
      monitoring,
    },
    env: { etcd: { vars: { store: 'http://a:2379' }, services: { auth: { vars: { maxStreams: 5 } } } } },
  }

  it('means what it did, and the start says what to write instead', () => {
    const { settings, flaws, notices } = read(file, 'etcd')
    assert.deepEqual(flaws, [])
    assert.equal(settings?.vars.store, 'http://a:2379')
    assert.equal(settings.vars.logLevel, 'info')
    assert.equal(settings.workers.rest.dev.port, 8081)
    assert.deepEqual(
      [settings.workers.auth.vars.maxStreams, settings.workers.auth.vars.heartbeatSeconds],
      [5, 5],
    )
    assert.deepEqual(schedulesOf(settings), { compact: '5 * * * *', clean: null })
    assert.deepEqual(settings.workers.admin.triggers.crons, ['5 * * * *'])
    assert.deepEqual(
      notices.map((line) => /write .* in place of \S+|as a list/.exec(line)?.[0]),
      [
        'write "workers" in place of "services";',
        'write workers.rest.dev.port in place of services.rest.port',
        'as a list',
      ],
    )
  })

  it('is the shipped file in its present form', () => {
    const old = { ...top, services: { rest, auth, admin: { ...admin, vars, triggers: {} }, monitoring } }
    assert.deepEqual(loadConfig(JSON.stringify(old), 'old'), loadConfig(JSON.stringify(shipped), 'new'))
  })
})
