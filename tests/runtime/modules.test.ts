/** The runtime cases for worker modules without our launcher, and the launcher with modules of others. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createInterface } from 'node:readline'
import { findPackage } from '../../scripts/npm_package.ts'
import { missing } from '../support/missing.ts'
import { startServer, temporaryFolder, type RuntimeName } from '../support/server.ts'
import { runtimeCases } from './cases.ts'
import { MODULE_CONFIG, MODULE_ENVIRONMENT, NOTIFICATION, ROOT, startProgram } from './module_server.ts'

const BIN = join(ROOT, 'node_modules', '.bin')
const MODULE = join(ROOT, 'services/auth/worker.ts')
const denoServe = (port: string): readonly [string, ...string[]] => [
  join(BIN, 'deno'),
  'serve',
  '-A',
  '--no-check',
  '--quiet',
  '--host',
  '127.0.0.1',
  '--port',
  port,
  MODULE,
]
const bunFile = (): readonly [string, ...string[]] => [join(BIN, 'bun'), MODULE]

runtimeCases('deno serve', () => startProgram(denoServe))
runtimeCases('bun FILE', () => startProgram(bunFile))

const noSrvx = await missing(() => findPackage('srvx'))
if (noSrvx === false)
  runtimeCases(
    'srvx on Node',
    async () => {
      const adapter = join(ROOT, 'tests/runtime/adapters/srvx.ts')
      const srvx = join(await findPackage('srvx'), 'dist/adapters/node.mjs')
      return startProgram((port) => [process.execPath, adapter, srvx, port])
    },
    { hasNoReasons: true },
  )
else it('srvx on Node', { skip: noSrvx }, () => undefined)

describe('a worker module loaded alone', { timeout: 60_000 }, () => {
  it('says which binding is missing, and what to do', async () => {
    for (const command of [denoServe, bunFile]) {
      const server = await startProgram(command, {})
      const response = await fetch(`${server.url}/api/v1/schema`)
      assert.equal(response.status, 500)
      assert.match(await response.text(), /The binding AVISO_CONFIG is missing: .*AVISO_CONFIG_FILE/)
      await server.stop()
      assert.match(server.output(), /The worker cannot start.*AVISO_CONFIG/)
    }
  })

  it('tells what is wrong with its configuration in its log alone', async () => {
    const AVISO_CONFIG = MODULE_CONFIG.replace('embedded:memory', 'emebdded:')
    const server = await startProgram(denoServe, { AVISO_CONFIG })
    const response = await fetch(`${server.url}/api/v1/schema`)
    assert.equal(response.status, 500)
    assert.match(await response.text(), /its log says why/)
    await server.stop()
    assert.match(server.output(), /vars\.store/)
  })

  it('publishes and replays as a function of the Lambda kind', async (context) => {
    const adapter = join(ROOT, 'tests/runtime/adapters/lambda.ts')
    const child = spawn(process.execPath, [adapter], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, ...MODULE_ENVIRONMENT },
    })
    context.after(() => void child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const call = async (method: string, rawPath: string, body?: unknown): Promise<LambdaResult> => {
      const headers = { host: 'localhost', 'content-type': 'application/json' }
      const requestContext = { domainName: 'localhost', http: { method } }
      const event = {
        rawPath,
        requestContext,
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }
      child.stdin.write(`${JSON.stringify(event)}\n`)
      const { value } = await lines.next()
      return JSON.parse(String(value)) as LambdaResult
    }
    while ((await call('GET', '/readyz')).statusCode !== 200);
    const published = await call('POST', '/api/v1/notification', NOTIFICATION)
    assert.equal(published.statusCode, 200, published.body)
    const replayed = await call('POST', '/api/v1/replay', {
      event_type: 'mars',
      identifier: {},
      from_id: '1',
    })
    assert.equal(replayed.statusCode, 200, replayed.body)
    assert.match(replayed.body, /s3:/)
    child.stdin.end()
    await new Promise((done) => child.once('exit', done))
  })
})

interface LambdaResult {
  readonly statusCode: number
  readonly body: string
}

/** A module of an operator: it refuses some requests itself, and hands the others to ours. */
const OWN_MODULE = `import rest from ${JSON.stringify(join(ROOT, 'services/rest/worker.ts'))}
export default {
  fetch(request, env, ctx) {
    if (request.headers.get('x-teapot') !== null) return new Response(String(env.strictIds), { status: 418 })
    if (request.headers.get('x-broken') !== null) throw new Error('broken by a test')
    if (request.headers.get('x-call') !== null) return env.AUTH.fetch(new Request(new URL('/api/v1/schema', request.url)))
    return rest.fetch(request, env, ctx)
  },
}
`

describe('main', { timeout: 120_000 }, () => {
  for (const runtime of ['node', 'deno', 'bun', 'workerd'] satisfies RuntimeName[]) {
    it(`is the module that ${runtime} loads, and it may be another one`, async (context) => {
      const folder = await temporaryFolder(context)
      await mkdir(join(folder, 'own'))
      await writeFile(join(folder, 'own/front.mjs'), OWN_MODULE)
      const file = join(folder, 'aviso.json')
      const config = JSON.parse(MODULE_CONFIG) as { workers: { rest: object } }
      const rest = {
        ...config.workers.rest,
        main: './own/front.mjs',
        vars: { strictIds: true },
        services: [{ binding: 'AUTH', service: 'aviso-auth' }],
      }
      await writeFile(file, JSON.stringify({ ...config, workers: { ...config.workers, rest } }))
      const server = await startServer({ runtime, arguments: ['rest', 'auth', '--config', file] })
      context.after(async () => void (await server.stop()))
      const post = (headers: Readonly<Record<string, string>>): Promise<Response> =>
        fetch(`${server.url}/api/v1/notification`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(NOTIFICATION),
        })
      const teapot = await post({ 'x-teapot': '1' })
      assert.equal(teapot.status, 418)
      assert.equal(await teapot.text(), 'true')
      const stored = await post({})
      assert.equal(stored.status, 200, await stored.text())
      const called = await post({ 'x-call': '1' })
      assert.match(await called.text(), /"flight"/)
      const broken = await post({ 'x-broken': '1' })
      assert.equal(broken.status, 500)
      assert.doesNotMatch(await broken.text(), /broken by a test/)
      assert.equal((await post({})).status, 200)
      assert.equal(await server.stop(), 0)
    })
  }
})
