/**
 * A listener of 1.x with `EmailKey` in front of a real etcd: the service as `npm start` runs it, the servers behind it as stand-ins.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import {
  ANN_TOKEN,
  JOE_TOKEN,
  OPERATOR_TOKEN,
  startAccessStandIns,
  type AccessStandIns,
} from '../support/auth_servers_system.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { CANARY } from '../support/tokens.ts'
import { eventually } from '../support/waiting.ts'
import { b64 } from '../support/etcd_wire.ts'
import { dissemination } from '../support/notifications.ts'

interface RangeBody {
  readonly header: { readonly revision: string }
  readonly kvs?: readonly { readonly key: string; readonly value?: string; readonly mod_revision: string }[]
}

/** Hands on to `url`, and keeps what is sent there. */
async function startRecorder(
  url: string,
): Promise<{ readonly url: string; sent(): string; close(): Promise<void> }> {
  const { hostname, port } = new URL(url)
  const pieces: Uint8Array[] = []
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    client.on('data', (piece: Uint8Array) => pieces.push(piece))
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => Buffer.concat(pieces).toString('latin1'),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

describe('a 1.x listener in front of etcd', { skip: await etcdMissing(), timeout: 120_000 }, () => {
  let etcd: EtcdCluster
  let recorder: Awaited<ReturnType<typeof startRecorder>>
  let standIns: AccessStandIns
  let server: TestServer
  let folder: string

  before(async () => {
    etcd = await startTestEtcd()
    recorder = await startRecorder(etcd.endpoints[0] ?? '')
    standIns = await startAccessStandIns()
    folder = await mkdtemp(join(tmpdir(), 'aviso-identity-'))
    const vars = {
      ...configFile.vars,
      // The gateway, because what is on the way is read as text.
      store: recorder.url.replace('http:', 'gateway:'),
      ...standIns.vars,
      audit: { file: join(folder, 'audit.jsonl') },
    }
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...configFile, vars }))
    Object.assign(process.env, standIns.environment)
    server = await startServer({ arguments: ['--config', join(folder, 'config.json')] })
    await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
  })
  after(async () => {
    await server.stop()
    await standIns.close()
    await recorder.close()
    await etcd.close()
    await rm(folder, { recursive: true, force: true })
  })

  const post = (path: string, body: unknown, authorization: string): Promise<Response> =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', cookie: `session=${CANARY}` },
      body: JSON.stringify(body),
    })
  const joe = `EmailKey joe@x.int:${JOE_TOKEN}`
  const range = (key: string, end: string, authorization = joe, more: object = {}): Promise<Response> =>
    post('/v3/kv/range', { key: b64(key), range_end: b64(end), ...more }, authorization)

  async function publish(destination: string, step: number): Promise<void> {
    const body = {
      event_type: 'dissemination',
      identifier: dissemination(destination, step),
      payload: `s3://${step}`,
    }
    const response = await post('/api/v1/notification', body, `Bearer ${OPERATOR_TOKEN}`)
    assert.equal(response.status, 200, await response.text())
  }

  it('polls from the revision it has reached, as ecFlow does, and gets its own destination and nothing else', async () => {
    await publish('SCL', 1)
    await publish('SCLX', 1)
    await publish('BAR', 1)
    const first = (await (await range('/ec/diss/SCL', '/ec/diss/SCM')).json()) as RangeBody
    assert.deepEqual(
      first.kvs?.map(({ key }) => atob(key).split('/')[3]),
      ['SCL', 'SCL'],
    )
    const cursor = Number(first.header.revision) + 1
    await publish('BAR', 2)
    await publish('SCL', 2)
    const body = { min_mod_revision: cursor }
    const next = (await (await range('/ec/diss/SCL', '/ec/diss/SCM', joe, body)).json()) as RangeBody
    const news = next.kvs?.filter(({ key }) => !atob(key).endsWith('/')) ?? []
    assert.deepEqual(
      news.map(({ value = '' }) => atob(value)),
      ['s3://2'],
    )
  })

  it('opens a stream with a ticket, once: etcd gives it to one', async () => {
    const issued = await post('/api/v1/tickets', {}, joe)
    assert.equal(issued.status, 200)
    const { ticket } = (await issued.json()) as { readonly ticket: string }
    const address = `${server.url}/api/v1/watch?event=dissemination&destination=SCL&ticket=${ticket}`
    const answers = await Promise.all([fetch(address), fetch(address), fetch(address)])
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 401, 401],
    )
    for (const { body } of answers) await body?.cancel()
    assert.ok(!recorder.sent().includes(ticket))
  })

  it('gets 403 for other destinations, and nothing beyond its prefix by any range end', async () => {
    assert.equal((await range('/ec/diss/BAR/', '/ec/diss/BAR0')).status, 403)
    assert.equal((await range('/ec/diss/SCLX/', '/ec/diss/SCLX0')).status, 403)
    for (const end of ['\0', '/zz', '/ec/diss0', '/ec/diss/SCLY', '/ec0']) {
      const response = await range('/ec/diss/SCL', end)
      assert.equal(response.status, 403, end)
      assert.doesNotMatch(await response.text(), /kvs/)
    }
    assert.equal(
      (await range('/ec/diss/BAR/', '/ec/diss/BAR0', `EmailKey ann@x.int:${ANN_TOKEN}`)).status,
      200,
    )
  })

  it('gets 401 with a challenge for a key that is none, 503 while the server that knows is down', async () => {
    const wrong = await range('/ec/diss/SCL', '/ec/diss/SCM', `EmailKey joe@x.int:${CANARY}-none`)
    assert.equal(wrong.status, 401)
    assert.notEqual(wrong.headers.get('www-authenticate'), null)
    await standIns.authOTron.misbehave('refuse')
    const down = await range('/ec/diss/SCL', '/ec/diss/SCM', `EmailKey joe@x.int:${CANARY}-unseen`)
    assert.deepEqual([down.status, down.headers.get('retry-after')], [503, '30'])
    await standIns.authOTron.misbehave(undefined)
  })

  it('leaves its marks in the audit log, and no token in there, in the output, in metrics, in etcd or on the way there', async () => {
    const file = join(folder, 'audit.jsonl')
    const read = (): Promise<string> => readFile(file, 'utf8').catch(() => '')
    // Records are written in groups, so the last ones may come later than the first.
    await eventually('the audit log is written', async () => {
      const text = await read()
      return (
        ['narrowed', 'published', 'refused'].every((action) => text.includes(action)) && text.endsWith('\n')
      )
    })
    const audit = await read()
    const actions = new Set(
      audit
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { action: string }).action),
    )
    assert.deepEqual([...actions].toSorted(), ['closed', 'narrowed', 'opened', 'published', 'refused'])
    const everything = { key: b64('\0'), range_end: b64('\0') }
    const stored = await fetch(`${etcd.endpoints[0]}/v3/kv/range`, {
      method: 'POST',
      body: JSON.stringify(everything),
    })
    const { kvs = [] } = (await stored.json()) as RangeBody
    assert.ok(kvs.length > 5)
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    assert.match(metrics, /aviso_access_events_total/)
    assert.match(recorder.sent(), /POST \/v3\/kv\/range/)
    assert.doesNotMatch(recorder.sent(), /authorization|x-auth|x-forwarded|cookie/i)
    const texts = [
      audit,
      server.output(),
      metrics,
      recorder.sent(),
      ...kvs.map(({ key, value = '' }) => atob(key) + atob(value)),
    ]
    assert.deepEqual(
      texts.filter((text) => text.includes(CANARY)),
      [],
    )
  })
})
