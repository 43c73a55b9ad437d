/**
 * Secrets in files, as `npm start` takes them: replaced while the service runs, and named where they are missing.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { etcdMissing, startTestEtcd } from '../support/etcd.ts'
import { serveCommand, startServer, type RuntimeName } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { CANARY } from '../support/tokens.ts'
import { eventually } from '../support/waiting.ts'

const OLD = `${CANARY}-the-old-token`
const NEW = `${CANARY}-the-new-token`
const VARIABLE = 'SECRET_FILES_TEST_TOKEN'
const WATCH = '/api/v1/watch?event=mars'
const FLIGHT = JSON.stringify({
  event_type: 'flight',
  identifier: { country: 'Italy', airport: 'FCO', date: '20260810', number: 'AZ203' },
  payload: 'Landed',
})
const noEtcd = await etcdMissing()

/** Asks etcd's `/v3/auth/`. */
async function askEtcd(url: string, path: string, body: object, token?: string): Promise<{ token: string }> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: token }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await fetch(`${url}/v3/auth/${path}`, init)
  assert.equal(response.status, 200, path)
  return (await response.json()) as { token: string }
}

describe('secrets in files', { timeout: 120_000 }, () => {
  let folder: string
  let config: string
  let secret: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-secrets-'))
    config = join(folder, 'config.json')
    secret = join(folder, 'token')
    const tokens = [{ username: 'ops', realm: 'local', secretEnv: VARIABLE }]
    const vars = {
      ...configFile.vars,
      store: 'embedded:memory',
      identity: { providers: [{ kind: 'tokens', tokens }] },
      policy: { rules: [{ realm: 'local', listen: ['/ec/mars/'] }] },
    }
    await writeFile(config, JSON.stringify({ ...configFile, vars }))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  /** At once and as a whole, as platforms do it. */
  async function keep(text: string): Promise<void> {
    await writeFile(`${secret}.next`, text)
    await rename(`${secret}.next`, secret)
  }

  async function start(runtime: RuntimeName) {
    process.env[`${VARIABLE}_FILE`] = secret
    try {
      return await startServer({ runtime, arguments: ['auth', '--config', config] })
    } finally {
      delete process.env[`${VARIABLE}_FILE`]
    }
  }

  const open = (url: string, token: string): Promise<Response> =>
    fetch(url + WATCH, { headers: { authorization: `Bearer ${token}` } })

  for (const runtime of ['node', 'deno', 'bun'] as const) {
    it(`are read again on SIGHUP on ${runtime}: the new token counts, streams by the old one end`, async () => {
      await keep(`${OLD}\n`)
      const server = await start(runtime)
      try {
        const stream = await open(server.url, OLD)
        assert.equal(stream.status, 200)
        await keep('too short\n')
        server.child.kill('SIGHUP')
        await eventually('it is told', async () => server.output().includes('A new secret cannot be used'))
        assert.equal((await open(server.url, 'too short')).status, 401)
        await keep(`${NEW}\n`)
        server.child.kill('SIGHUP')
        await eventually('the new one counts', async () => {
          const { status, body } = await open(server.url, NEW)
          await body?.cancel()
          return status === 200
        })
        assert.equal((await open(server.url, OLD)).status, 401)
        const last = (await readEvents(stream).rest()).at(-1)
        assert.match(last?.data ?? '', /auth_revoked/)
        assert.ok(!server.output().includes(CANARY))
      } finally {
        await server.stop()
      }
    })
  }

  it('are read at the start on workerd', async () => {
    await keep(`${OLD}\n`)
    const server = await start('workerd')
    try {
      const { status, body } = await open(server.url, OLD)
      await body?.cancel()
      assert.equal(status, 200)
    } finally {
      await server.stop()
    }
  })

  it('follow a password of etcd that is replaced', { skip: noEtcd }, async (context) => {
    const etcd = await startTestEtcd()
    context.after(() => etcd.close())
    const [url = ''] = etcd.endpoints
    const root = { name: 'root', password: OLD }
    for (const [path, body] of [
      ['user/add', root],
      ['role/add', { name: 'root' }],
      ['user/grant', { user: 'root', role: 'root' }],
      ['enable', {}],
    ] as const)
      await askEtcd(url, path, body)
    const { token } = await askEtcd(url, 'authenticate', root)
    const path = join(folder, 'etcd.json')
    const vars = { ...configFile.vars, store: url, storeUser: { name: 'root', passwordEnv: VARIABLE } }
    await writeFile(path, JSON.stringify({ ...configFile, vars }))
    await keep(OLD)
    const server = await startServer({
      arguments: ['rest', '--config', path],
      environment: { [`${VARIABLE}_FILE`]: secret },
    })
    context.after(() => server.stop())
    const isReady = async (): Promise<boolean> => (await fetch(`${server.url}/ready`)).ok
    await eventually('it logs in', isReady)
    await askEtcd(url, 'user/changepw', { name: 'root', password: NEW }, token)
    await eventually('the old password does not help', async () => !(await isReady()))
    await keep(NEW)
    server.child.kill('SIGHUP')
    await eventually('it logs in with the new one', isReady)
  })

  it('follow a token of telemetry that is replaced', async (context) => {
    const authorizations: (string | undefined)[] = []
    const monitoring = createServer((request, response) => {
      authorizations.push(request.headers.authorization)
      request.resume().on('end', () => response.end('{}'))
    })
    context.after(() => monitoring.close())
    await once(monitoring.listen(0, '127.0.0.1'), 'listening')
    const { port } = monitoring.address() as AddressInfo
    const http = { url: `http://127.0.0.1:${port}/api/v1/telemetry`, tokenEnv: VARIABLE }
    const path = join(folder, 'telemetry.json')
    const vars = { ...configFile.vars, store: 'embedded:memory', telemetry: { http, everySeconds: 1 } }
    await writeFile(path, JSON.stringify({ ...configFile, vars }))
    await keep(OLD)
    const server = await startServer({
      arguments: ['rest', '--config', path],
      environment: { [`${VARIABLE}_FILE`]: secret },
    })
    context.after(() => server.stop())
    const isSentWith = async (token: string): Promise<boolean> => {
      await (await fetch(`${server.url}/api/v1/notification`, { method: 'POST', body: FLIGHT })).text()
      return authorizations.includes(`Bearer ${token}`)
    }
    await eventually('telemetry is sent', () => isSentWith(OLD))
    await keep(NEW)
    server.child.kill('SIGHUP')
    await eventually('the new token counts', () => isSentWith(NEW))
  })

  for (const runtime of ['node', 'workerd'] as const) {
    it(`that are missing are named on ${runtime}, and nothing starts`, async () => {
      const [command, ...argv] = serveCommand(runtime)
      const child = spawn(command, [...argv, 'auth', '--config', config, '--port', '0'])
      let printed = ''
      child.stderr.on('data', (text) => (printed += String(text)))
      const code = await new Promise((done) => child.once('exit', done))
      assert.equal(code, 2, printed)
      assert.match(printed, new RegExp(`^error: .*environment variable ${VARIABLE}, or ${VARIABLE}_FILE`))
    })
  }
})
