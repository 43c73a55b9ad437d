/** What `aviso build wrangler` makes, with the real wrangler: a dry run of a deployment, and the runtime cases on `wrangler dev`. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Ajv } from 'ajv'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { VARIABLE_BYTES } from '../../scripts/build/wrangler_files.ts'
import { runCommand } from '../../scripts/run_command.ts'
import { missing } from '../support/missing.ts'
import { findPackage } from '../../scripts/npm_package.ts'
import { QUIET, wrangler } from '../../scripts/wrangler_dev.ts'
import { temporaryFolder, type TestServer } from '../support/server.ts'
import { withoutComments } from '#shared/config/jsonc.ts'
import { runtimeCases } from './cases.ts'
import { buildWrangler, NOTIFICATION, startWranglerDev } from './module_server.ts'

const skip = await missing(() => findPackage('wrangler'))
const NAMES = ['aviso-rest', 'aviso-auth', 'aviso-admin', 'aviso-monitoring', 'aviso-runs']

function startDev(folder: string, state: string): Promise<TestServer> {
  return startWranglerDev([join(folder, 'wrangler.jsonc')], state)
}

if (skip === false)
  runtimeCases('wrangler dev', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aviso-wrangler-'))
    after(() => rm(folder, { recursive: true, force: true }))
    const { code, output } = await buildWrangler(folder, '--one')
    assert.equal(code, 0, output)
    return startDev(join(folder, 'aviso'), join(folder, 'state'))
  })

describe('aviso build wrangler', { skip, timeout: 240_000 }, () => {
  it('makes workers that wrangler would deploy, by its own schema and by a dry run', async (context) => {
    const folder = await temporaryFolder(context)
    const { code, output } = await buildWrangler(folder)
    assert.equal(code, 0, output)
    const text = await readFile(join(await findPackage('wrangler'), 'config-schema.json'), 'utf8')
    const valid = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(text) as object)
    for (const name of NAMES) {
      const file = join(folder, name, 'wrangler.jsonc')
      assert.ok(
        valid(JSON.parse(withoutComments(await readFile(file, 'utf8')))),
        JSON.stringify(valid.errors),
      )
      const argv = [
        await wrangler(),
        'deploy',
        '--dry-run',
        '--config',
        file,
        '--outdir',
        join(folder, 'dry'),
      ]
      const run = await runCommand(process.execPath, argv, {
        folder,
        environment: { ...QUIET, HOME: folder },
      })
      assert.equal(run.code, 0, run.output)
      assert.match(run.output, /env\.AVISO_HOST/)
      assert.doesNotMatch(run.output, /WARNING/)
    }
  })

  it('keeps each variable below the limit, and names routes, workers and secrets by environment', async (context) => {
    const folder = await temporaryFolder(context)
    const file = join(folder, 'aviso.jsonc')
    const tokens = Array.from({ length: 120 }, (_, index) => ({
      username: `üser${index}`,
      realm: 'r',
      secretEnv: `TOKEN_${index}`,
    }))
    const vars = {
      baseUrl: 'https://aviso.example.int',
      identity: { providers: [{ kind: 'tokens', tokens }] },
      policy: { rules: [{ realm: 'r', listen: 'everything' }] },
    }
    await writeFile(file, `// big\n${JSON.stringify({ ...configFile, env: { prod: { vars } } })}`)
    const { code, output } = await buildWrangler(folder, '--config', file, '--env', 'prod', 'rest', 'auth')
    assert.equal(code, 0, output)
    assert.match(output, /wrangler secret put NAME": TOKEN_0, TOKEN_1/)
    const made = JSON.parse(
      withoutComments(await readFile(join(folder, 'aviso-auth-prod/wrangler.jsonc'), 'utf8')),
    ) as { readonly vars: Readonly<Record<string, unknown>>; readonly routes: readonly string[] }
    const values = Object.entries(made.vars)
    assert.ok(values.filter(([name]) => name.startsWith('AVISO_CONFIG_')).length > 1)
    for (const [name, value] of values)
      assert.ok(Buffer.byteLength(JSON.stringify(value)) <= 2 * VARIABLE_BYTES, name)
    for (const [name, value] of values)
      if (typeof value === 'string') assert.ok(Buffer.byteLength(value) <= VARIABLE_BYTES, name)
    assert.ok(made.routes.includes('aviso.example.int/v3/*'))
    assert.ok(made.routes.includes('aviso.example.int/docs/*'))
    const rest = await readFile(join(folder, 'aviso-rest-prod/wrangler.jsonc'), 'utf8')
    assert.match(rest, /"script_name": "aviso-auth-prod"/)
  })

  it('refuses what cannot be deployed, all at once, and writes nothing', async (context) => {
    const folder = await temporaryFolder(context)
    const file = join(folder, 'aviso.json')
    const { admin } = configFile.workers
    const jobs = { compact: '0 * * * *', clean: '30 0 * * 1' }
    await writeFile(
      file,
      JSON.stringify({
        ...configFile,
        vars: { store: 'grpc://a:2379', baseUrl: 'https://aviso.example.int' },
        workers: {
          ...configFile.workers,
          admin: { ...admin, triggers: { crons: Object.values(jobs) }, vars: { jobs } },
          rest: { ...configFile.workers.rest, main: 'missing.mjs' },
        },
      }),
    )
    const { code, output } = await buildWrangler(join(folder, 'out'), '--config', file)
    assert.equal(code, 2, output)
    for (const line of [/vars\.store: workerd has no gRPC/, /vars\.identity: "none" with the public address/])
      assert.match(output, line)
    assert.match(output, /vars\.jobs\.clean: .*Cloudflare counts from Sunday as 1/)
    assert.match(output, /workers\.rest\.main: "missing\.mjs" is not there/)
    await assert.rejects(readFile(join(folder, 'out')), { code: 'ENOENT' })
  })

  it('sends one who names a configuration of 2.x to the import', async (context) => {
    const file = join(await temporaryFolder(context), 'server.yaml')
    await writeFile(file, 'application: { host: 127.0.0.1 }\n')
    const { code, output } = await buildWrangler(join(file, '..', 'out'), '--config', file)
    assert.equal(code, 2, output)
    assert.match(
      output,
      /is a configuration of aviso-server 2\.x: write ours with ".* config import \S+server\.yaml"/,
    )
  })

  it('runs due jobs by scheduled(), and keeps positions over an end of the Durable Object', async (context) => {
    const folder = await temporaryFolder(context)
    assert.equal((await buildWrangler(folder, '--one')).code, 0)
    const start = (): Promise<TestServer> => startDev(join(folder, 'aviso'), join(folder, 'state'))
    const post = (server: TestServer, path: string, body: unknown): Promise<Response> =>
      fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const first = await start()
    context.after(async () => void (await first.stop()))
    assert.equal((await post(first, '/api/v1/notification', NOTIFICATION)).status, 200)
    const due = await fetch(`${first.url}/cdn-cgi/handler/scheduled?cron=0+*+*+*+*`)
    assert.equal(due.status, 200, await due.text())
    const status = (await (await fetch(`${first.url}/api/v1/admin/status`)).json()) as {
      readonly history: { readonly marks: number }
    }
    assert.equal(status.history.marks, 1)
    await first.stop()
    const second = await start()
    context.after(async () => void (await second.stop()))
    const replay = { event_type: 'mars', identifier: {}, from_id: '1' }
    const replayed = await (await post(second, '/api/v1/replay', replay)).text()
    assert.match(replayed, /s3:\/\/bucket\/1/)
    assert.match(replayed, /mars@1/)
  })
})
