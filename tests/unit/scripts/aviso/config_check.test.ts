import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CommanderError } from 'commander'
import configFile from '../../../../wrangler-like.config.json' with { type: 'json' }
import { checkServicesConfig } from '../../../../scripts/aviso/config_check.ts'
import { effectiveSettings, withoutSecrets } from '../../../../scripts/aviso/effective_settings.ts'
import { createProgram, type Invocation } from '../../../../scripts/aviso/program.ts'
import { recordedOutput, type TestContext } from './fixture.ts'

interface Told {
  readonly file: string
  readonly settings: Readonly<Record<string, { value: unknown; from: string; place?: string }>>
  readonly secrets: Readonly<Record<string, { state: string; settings: readonly string[] }>>
  readonly problems: readonly string[]
}

async function check(
  context: TestContext,
  config: object | string,
  { env, environment = {} }: { readonly env?: string; readonly environment?: Record<string, string> } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-test-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'c.json')
  await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config))
  const run = async (json: boolean) => {
    const output = recordedOutput()
    const readText = (path: string): Promise<string> => readFile(path, 'utf8')
    const code = await checkServicesConfig({ file, env }, { output, json, readText, environment })
    return { code, output }
  }
  const { code, output } = await run(true)
  const told = JSON.parse(output.results[0] ?? '') as Told
  return {
    code,
    told,
    errors: output.logged.filter(({ level }) => level === 'ERROR').map(({ message }) => message),
    text: async () => ((await run(false)).output.results[0] ?? '').replaceAll(folder, ''),
  }
}

/** A configuration with an environment, a secret, and values of its own. */
const CONFIG = {
  ...configFile,
  vars: {
    ...configFile.vars,
    store: 'http://etcd:2379',
    storeUser: { name: 'a', passwordEnv: 'ETCD_PASSWORD' },
  },
  dev: { ...configFile.dev, data: tmpdir() },
  env: { live: { vars: { store: 'http://127.0.0.1:2379', schemas: ['flight'] } } },
}

describe('checkServicesConfig()', () => {
  it('says of each setting what counts, and where it comes from', async (t) => {
    const { code, told } = await check(t, CONFIG, { environment: { ETCD_PASSWORD: 'geheim' } })
    assert.deepEqual([code, told.problems], [0, []])
    const { settings } = told
    assert.deepEqual(settings['vars.logLevel'], { value: 'info', from: 'file', place: 'vars.logLevel' })
    assert.deepEqual(settings['dev.drainSeconds'], { value: 0, from: 'default' })
    assert.deepEqual(settings['workers.admin.vars.history'], {
      value: '16d',
      from: 'file',
      place: 'workers.admin.vars.history',
    })
    assert.deepEqual(settings['workers.runs.vars.keep'], { value: '60d', from: 'default' })
    assert.equal(settings['vars.telemetry'], undefined)
  })

  it('hides secrets: passwords in addresses, and the values of variables', async (t) => {
    const { told, text } = await check(t, CONFIG, { environment: { ETCD_PASSWORD: 'geheim' } })
    assert.equal(withoutSecrets('http://joe:pass@proxy/x', 'url'), 'http://…@proxy/x')
    assert.deepEqual(told.secrets, {
      ETCD_PASSWORD: { state: 'set', settings: ['vars.storeUser.passwordEnv'] },
    })
    const shown = (await text()) + JSON.stringify(told)
    assert.ok(!shown.includes('geheim'))
    assert.deepEqual(
      withoutSecrets({ a: [{ token: 'x', tokenEnv: 'X', tokenFile: '/x', secretBytes: 5 }] }, ''),
      {
        a: [{ token: '(hidden)', tokenEnv: 'X', tokenFile: '/x', secretBytes: 5 }],
      },
    )
  })

  it('--env: names the environment where a value stands in it, by the rules of wrangler', async (t) => {
    const { code, told } = await check(t, CONFIG, { env: 'live' })
    assert.equal(code, 0)
    assert.deepEqual(told.settings['vars.store'], {
      value: 'http://127.0.0.1:2379',
      from: 'env live',
      place: 'env.live.vars.store',
    })
    // "vars" is not taken from above.
    assert.equal(told.settings['vars.logLevel']?.from, 'default')
    assert.equal(told.settings['dev.data']?.from, 'file')
    assert.deepEqual(told.secrets, {})
    const own = {
      ...CONFIG,
      workers: {
        ...CONFIG.workers,
        rest: { ...CONFIG.workers.rest, env: { live: { vars: { strictIds: true } } } },
      },
    }
    const rest = await check(t, own, { env: 'live' })
    assert.deepEqual(rest.told.settings['workers.rest.vars.strictIds'], {
      value: true,
      from: 'env live',
      place: 'workers.rest.env.live.vars.strictIds',
    })
    assert.equal(rest.told.settings['workers.rest.routes']?.from, 'file')
  })

  it('tells everything that is wrong, exits with 2, and still shows the rest', async (t) => {
    const { rest } = CONFIG.workers
    const wrong = {
      ...CONFIG,
      dev: { ...CONFIG.dev, prot: 80 },
      workers: { ...CONFIG.workers, rest: { ...rest, routes: ['/', '/api/v1/notifcation'] } },
    }
    const { code, told, errors } = await check(t, wrong)
    assert.equal(code, 2)
    assert.deepEqual(
      errors,
      told.problems.map((problem) => `${told.file}: ${problem}`),
    )
    assert.deepEqual(
      told.problems.map((line) => line.split(':')[0]),
      ['dev.prot', 'vars.storeUser.passwordEnv', 'workers.rest.routes.1'],
    )
    assert.match(errors[0] ?? '', /did you mean "port"\?/)
    assert.equal(told.secrets['ETCD_PASSWORD']?.state, 'not set')
    assert.equal(told.settings['vars.logLevel']?.from, 'file')
  })

  it('tells what it cannot read at all', async (t) => {
    const broken = await check(t, '{ "name": ')
    assert.deepEqual([broken.code, broken.errors.length], [2, 1])
    assert.match(broken.errors[0] ?? '', /c\.json: not JSON/)
    const none = await check(t, CONFIG, { env: 'lvie' })
    assert.deepEqual(
      [none.code, none.told.problems],
      [2, ['no environment "lvie" under env: known are live']],
    )
  })

  it('opens no port: the services may be running', async (t) => {
    const busy = createServer().listen(0, '127.0.0.1')
    await once(busy, 'listening')
    t.after(() => void busy.close())
    const { port } = busy.address() as AddressInfo
    const { code } = await check(t, { ...CONFIG, dev: { ...CONFIG.dev, port } }, { env: 'live' })
    assert.equal(code, 0)
  })

  it('prints tables: what all workers have, then each worker with its routes and triggers', async (t) => {
    const { text } = await check(t, CONFIG, { env: 'live' })
    const blocks = (await text()).split('\n\n')
    assert.equal(blocks[0], '/c.json, environment live')
    assert.match(blocks[1] ?? '', /^SETTING +VALUE +FROM\n/)
    assert.match(blocks[1] ?? '', /\nvars\.store +http:\/\/127\.0\.0\.1:2379 +env live\n/)
    assert.deepEqual(
      blocks.slice(2).map((block) => block.split('\n')[0]),
      ['rest', 'auth', 'admin', 'monitoring', 'runs'].map(
        (name) => `${name}: services/${name}/worker.ts (file)`,
      ),
    )
    assert.match(
      blocks[4] ?? '',
      /\nroutes +\/api\/v1\/admin\/\* +file\ntriggers +0 \* \* \* \*, 30 0 \* \* \* +file\nSETTING/,
    )
  })
})

describe('aviso config check', () => {
  const parse = (...words: string[]): Invocation | undefined => {
    let invocation: Invocation | undefined
    const program = createProgram('1', (parsed) => (invocation = parsed))
    program.configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
    program.parse(['config', ...words], { from: 'user' })
    return invocation
  }

  it('takes its file also as launchers spell it, and never as the configuration of the client', () => {
    for (const spelling of [['c.json'], ['--config', 'c.json'], ['-c', 'c.json']]) {
      const parsed = parse('check', ...spelling, '--env', 'live')
      assert.ok(parsed?.command === 'check-config')
      assert.deepEqual(parsed.task, { file: 'c.json', env: 'live' })
      assert.equal(parsed.flags.config, undefined)
    }
    const explained = parse('explain-access', 'ann', '--config', 'c.json')
    assert.ok(explained?.command === 'explain-access')
    assert.equal(explained.task.options.servicesConfig, 'c.json')
    assert.equal(explained.flags.config, undefined)
  })

  it('refuses two files', () => {
    assert.throws(
      () => parse('check', 'a.json', '--config', 'b.json'),
      (error) => error instanceof CommanderError && /a\.json and b\.json: name one/.test(error.message),
    )
  })
})

describe('effectiveSettings()', () => {
  it('reads files with comments, and the form of version 0.1', () => {
    const { workers, ...rest } = configFile
    const text = `// ours\n${JSON.stringify({ ...rest, services: workers, env: { e: { vars: { logLevel: 'debug' } } } })}`
    const found = effectiveSettings({ text, source: 'c', environment: 'e' })
    const of = (path: string): unknown => found.find((setting) => setting.path === path)
    assert.deepEqual(of('vars.logLevel'), {
      path: 'vars.logLevel',
      value: 'debug',
      from: 'env e',
      place: 'env.e.vars.logLevel',
    })
    assert.deepEqual((of('vars.store') as { from: string }).from, 'file')
    assert.deepEqual((of('workers.rest.vars.strictIds') as { from: string }).from, 'file')
  })
})
