import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'

import configFile from '../../../../wrangler-like.config.json' with { type: 'json' }
import { readConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import { isAvisoError } from '#shared/errors.ts'
import { portProblem } from '../../../../scripts/serve/port_problem.ts'
import { preflight, type PreflightParts } from '../../../../scripts/serve/preflight.ts'
import { temporaryFolder } from '../../../support/server.ts'

const HERE = { store: 'embedded:memory' }
const FREE = { host: '127.0.0.1', port: 0 }

interface Given {
  readonly vars?: object
  readonly dev?: object
  readonly services?: object
  readonly askStore?: PreflightParts['askStore']
}

/** @returns the text of the refusal, or `ready` */
async function look({ vars = HERE, dev = FREE, services = {}, askStore }: Given): Promise<string> {
  const text = JSON.stringify({
    ...configFile,
    vars: { ...configFile.vars, ...vars },
    dev,
    workers: { ...configFile.workers, ...services },
  })
  try {
    await preflight({
      options: { services: SERVICE_NAMES, config: 'file.json' },
      read: readConfig(text, 'file.json'),
      environment: {},
      readText: () => Promise.reject(new Error('ENOENT')),
      hasUdp: true,
      askStore,
    })
    return 'ready'
  } catch (error) {
    assert.ok(isAvisoError(error, 'ERR_CONFIG'), String(error))
    return error.message
  }
}

async function takenPort(context: TestContext): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  return (server.address() as AddressInfo).port
}

describe('preflight()', () => {
  it('lets pass what can be started, and leaves nothing behind', async (context) => {
    const folder = await temporaryFolder(context)
    const dev = { ...FREE, data: join(folder, 'deep', 'data') }
    assert.equal(await look({ vars: { store: 'embedded:' }, dev }), 'ready')
    assert.deepEqual(await readdir(folder), [])
  })

  it('tells at once what is wrong with values, names, files, secrets, folders and ports', async (context) => {
    const file = join(await temporaryFolder(context), 'file')
    await writeFile(file, '')
    const port = await takenPort(context)
    const admin = { ...configFile.workers.admin, vars: { events: { fligth: {} } } }
    const message = await look({
      vars: {
        schemas: ['flight', 'own.json'],
        logLevel: 'warm',
        telemetry: { http: { url: 'http://h', tokenEnv: 'T' } },
      },
      dev: { host: '127.0.0.1', port, data: join(file, 'x') },
      services: { admin },
    })
    const lines = message.split('\n')
    assert.deepEqual(
      lines.map((line) => line.split(':')[0]?.trim()),
      [
        'file.json',
        'vars.logLevel',
        'vars.schemas.1',
        'vars.telemetry.http.tokenEnv',
        'dev.data',
        'dev.port',
      ],
    )
    assert.match(message, /"warm" is not allowed here: use .*did you mean "warn"\?/)
    assert.match(message, /file" is a file and not a folder: name another folder with --data/)
    assert.match(message, new RegExp(`port ${port} of 127.0.0.1 is in use by another program`))
  })

  it('judges the rest of a file when a part is incomplete without what was wrong in it', async () => {
    const identity = { providers: [{ kind: 'jwtt' }] }
    const message = await look({ vars: { ...HERE, identity, schemas: ['own.json'] } })
    assert.match(message, /\n {2}vars\.identity\.providers\.0\.kind: "jwtt" .*did you mean "jwt"\?/)
    assert.match(message, /\n {2}vars\.schemas\.0: Cannot read the schema file/)
    assert.equal(message.split('\n').length, 3, message)
  })

  it('asks the store where it is told to, besides all else, but not where the store is named wrongly', async () => {
    let asked = 0
    const askStore = (): Promise<readonly string[]> => {
      asked++
      return Promise.resolve(['vars.store: no answer'])
    }
    const message = await look({ vars: { ...HERE, logLevel: 'warm' }, askStore })
    assert.match(message, /\n {2}vars\.logLevel: .*\n {2}vars\.store: no answer$/)
    assert.equal(asked, 1)
    assert.match(await look({ vars: { store: 'htp://x' }, askStore }), /^file\.json: vars\.store: Cannot use/)
    const token = { store: 'http://127.0.0.1:1', storeTokenEnv: 'NOT_THERE' }
    assert.match(
      await look({ vars: token, askStore }),
      /^file\.json: vars\.storeTokenEnv: A secret is missing/,
    )
    assert.equal(asked, 1)
  })

  it('names a schedule, and the port of one service alone', async (context) => {
    const port = await takenPort(context)
    const { admin, auth } = configFile.workers
    const message = await look({
      services: {
        auth: { ...auth, dev: { port } },
        admin: {
          ...admin,
          triggers: { crons: ['0 * * * *', '0 0 31 2 *', '5 * * * *'] },
          vars: { jobs: { compact: '0 * * * *', clean: '0 0 31 2 *' } },
        },
      },
    })
    assert.match(message, /\n {2}workers\.admin\.triggers\.crons\.2: "5 \* \* \* \*" runs no job: name it/)
    assert.match(message, /\n {2}workers\.admin\.vars\.jobs\.clean: "0 0 31 2 \*" is not a cron/)
    assert.match(message, new RegExp(`\\n {2}workers\\.auth\\.dev\\.port: port ${port} `))
  })

  it('refuses an audit log in a folder that is not there', async () => {
    assert.match(
      await look({ vars: { ...HERE, audit: { file: '/nowhere/at/all/audit.log' } } }),
      /^file\.json: vars\.audit\.file: the folder of .* is missing: make it$/,
    )
  })

  it('names a module that is missing, cannot be loaded, or is none', async (context) => {
    const folder = await temporaryFolder(context)
    await writeFile(join(folder, 'none.mjs'), 'export const fetch = () => undefined')
    await writeFile(join(folder, 'broken.mjs'), 'throw new Error("broken by a test")')
    const { rest, auth, admin } = configFile.workers
    const text = await look({
      services: {
        rest: { ...rest, main: join(folder, 'missing.mjs') },
        auth: { ...auth, main: join(folder, 'none.mjs') },
        admin: { ...admin, main: join(folder, 'broken.mjs') },
      },
    })
    assert.match(text, /workers\.rest\.main: "[^"]*missing\.mjs" is not there: name a module beside/)
    assert.match(text, /workers\.auth\.main: "[^"]*none\.mjs" is no worker module: it has no default export/)
    assert.match(text, /workers\.admin\.main: "[^"]*broken\.mjs" cannot be loaded: broken by a test/)
  })

  it('takes what main named before there were worker modules', async () => {
    const rest = { ...configFile.workers.rest, main: 'services/rest/handler.ts' }
    assert.equal(await look({ services: { rest } }), 'ready')
  })

  it('stops at a file that lacks what it must have', async () => {
    assert.match(await look({ services: { rest: undefined } }), /workers\.rest: this setting is required/)
  })
})

describe('preflight() of a folder', () => {
  const noticesOf = async (store: string, data?: string): Promise<readonly string[]> => {
    const text = JSON.stringify({ ...configFile, vars: { store }, dev: FREE })
    const { notices } = await preflight({
      options: { services: SERVICE_NAMES, config: 'file.json', ...(data !== undefined && { data }) },
      read: readConfig(text, 'file.json'),
      environment: {},
      readText: () => Promise.reject(new Error('ENOENT')),
      hasUdp: true,
    })
    return notices
  }

  it('says where --data has no effect', async () => {
    assert.match((await noticesOf('embedded:memory', 'd')).join(), /^--data has no effect: .*embedded:memory/)
    assert.match((await noticesOf('http://etcd:2379', 'd')).join(), /^--data has no effect: .*etcd:2379/)
    assert.deepEqual(await noticesOf('embedded:', 'd'), [])
    assert.deepEqual(await noticesOf('embedded:memory'), [])
  })
})

describe('portProblem()', () => {
  const say = (code: string): string =>
    portProblem(Object.assign(new Error(code), { code }), { path: 'dev.port', host: 'h', port: 80 })
  it('says what to do for each cause', () => {
    assert.match(
      say('EACCES'),
      /^dev\.port: this user may not listen on port 80 of h: .*CAP_NET_BIND_SERVICE$/,
    )
    assert.match(say('EADDRNOTAVAIL'), /^dev\.host: this machine has no address h: /)
    assert.match(say('ENOTFOUND'), /^dev\.host: the name h is unknown: /)
    assert.match(say('EOTHER'), /^dev\.port: cannot listen on port 80 of h \(EOTHER\)$/)
  })
})
