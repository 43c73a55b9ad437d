/**
 * What the whole system leaves in a real etcd, read by etcdctl: byte for byte what aviso 1.x writes (its keys, values and status documents).
 * Our own keys are beside them, under `/_aviso/`.
 */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import packageFile from '../../package.json' with { type: 'json' }
import { findEtcdctl } from '../../scripts/etcd/binary.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'
import { DISSEMINATION, DISSEMINATION_KEY, MARS } from '../support/notifications.ts'

const execute = promisify(execFile)

/** One key as etcdctl prints it. */
interface Stored {
  readonly key: string
  readonly value: string
  readonly mod: number
  readonly lease: boolean
}

const MARS_KEY = '/ec/mars/date=20190810,class=od,expver=0001,domain=g,time=00,stream=enfo,step=1'

describe('What etcd holds after publishing', { skip: await etcdMissing() }, () => {
  let etcd: EtcdCluster
  let server: TestServer
  before(async () => {
    etcd = await startTestEtcd()
    server = await startServer({ arguments: ['--store', etcd.store] })
    await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
  })
  after(async () => {
    await server?.stop()
    await etcd?.close()
  })

  async function publish(event: string, request: object, data: object = {}): Promise<void> {
    const body = {
      specversion: '1.0',
      id: randomUUID(),
      source: '/host/user',
      type: 'aviso',
      data: { event, request, ...data },
    }
    const response = await fetch(`${server.url}/api/v1/notification`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    assert.equal(response.status, 200, await response.text())
  }

  /** Everything but our own keys, in key order. */
  async function stored(): Promise<readonly Stored[]> {
    const etcdctl = await findEtcdctl()
    assert.ok(etcdctl !== undefined, 'etcdctl is needed: install the package etcd-client')
    const argv = ['--endpoints', etcd.endpoints.join(), 'get', '', '--prefix', '-w', 'json']
    const { stdout } = await execute(etcdctl, argv, { env: { ETCDCTL_API: '3' } })
    const { kvs = [] } = JSON.parse(stdout) as {
      kvs?: { key: string; value: string; mod_revision: number; lease?: number }[]
    }
    return kvs
      .map(({ key, value, mod_revision: mod, lease = 0 }) => ({
        key: text(key),
        value: text(value),
        mod,
        lease: lease !== 0,
      }))
      .filter(({ key }) => !key.startsWith('/_aviso/'))
  }

  function text(base64: string): string {
    return Buffer.from(base64, 'base64').toString('utf8')
  }

  function find(kvs: readonly Stored[], key: string): Stored {
    const found = kvs.find((kv) => kv.key === key)
    assert.ok(found !== undefined, `${key} is stored; there are ${kvs.map((kv) => kv.key).join(' ')}`)
    return found
  }

  /** The status document that 1.x would have written: Python's JSON, members in its order. */
  function status(stem: string, dateTime: string, previous?: number): string {
    return (
      `{"etcd_user": null, "message": "notification to key ${stem}", "unix_user": "${userInfo().username}", ` +
      `"aviso_version": "${packageFile.version}", "engine": "ETCD_REST", "hostname": "${hostname()}", ` +
      `"date_time": "${dateTime}"${previous === undefined ? '' : `, "prev_rev": ${previous}`}}`
    )
  }

  function dateTimeOf({ value }: Stored): string {
    const { date_time: dateTime } = JSON.parse(value) as { date_time: string }
    assert.match(dateTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    return dateTime
  }

  it('is the notification, its status and its admin key in one revision, and nothing else', async () => {
    await publish('dissemination', DISSEMINATION, { location: 's3://bucket/ä' })
    const kvs = await stored()
    assert.deepEqual(
      kvs.map(({ key }) => key),
      ['/ec/admin/20190810/MACI', '/ec/diss/MACI/', DISSEMINATION_KEY],
    )
    assert.equal(find(kvs, DISSEMINATION_KEY).value, 's3://bucket/ä')
    assert.equal(find(kvs, '/ec/admin/20190810/MACI').value, 'None')
    const document = find(kvs, '/ec/diss/MACI/')
    assert.equal(document.value, status(DISSEMINATION_KEY, dateTimeOf(document)))
    assert.equal(new Set(kvs.map(({ mod }) => mod)).size, 1)
  })

  it('chains the status documents by revision', async () => {
    const before = find(await stored(), '/ec/diss/MACI/')
    await publish('dissemination', { ...DISSEMINATION, step: '2' }, { location: 's3://bucket/2' })
    const document = find(await stored(), '/ec/diss/MACI/')
    const stem = DISSEMINATION_KEY.replace(/1$/, '2')
    // The first document has no last_prev_day_rev, and on the same day it is handed on only where there was one.
    const sameDay = dateTimeOf(before).slice(0, 10) === dateTimeOf(document).slice(0, 10)
    if (sameDay) assert.equal(document.value, status(stem, dateTimeOf(document), before.mod))
    else
      assert.match(
        document.value,
        new RegExp(`"prev_rev": ${before.mod}, "last_prev_day_rev": ${before.mod}}$`),
      )
  })

  it('is None for no payload, JSON for a structured one, and no admin key where the schema has none', async () => {
    await publish('mars', MARS)
    await publish('mars', { ...MARS, step: '2' }, { location: { url: 's3://x', parts: [1, null] } })
    const kvs = await stored()
    assert.equal(find(kvs, MARS_KEY).value, 'None')
    assert.equal(find(kvs, MARS_KEY.replace(/1$/, '2')).value, '{"url":"s3://x","parts":[1,null]}')
    assert.ok(!kvs.some(({ key, value }) => key.startsWith('/ec/admin/') && value !== 'None'))
    assert.equal(kvs.filter(({ key }) => key.startsWith('/ec/admin/')).length, 1)
  })

  it('hangs a time to live on the notification alone', async () => {
    await publish('mars', { ...MARS, step: '3' }, { location: 'x', ttl: '3600' })
    const kvs = await stored()
    assert.equal(find(kvs, MARS_KEY.replace(/1$/, '3')).lease, true)
    assert.equal(find(kvs, '/ec/mars/').lease, false)
  })

  it('writes canonical values, and the key of a flight as the shipped schema says', async () => {
    await publish(
      'flight',
      { country: 'Italy', airport: 'fco', date: '20210101', number: 'AZ203' },
      { payload: 'Landed' },
    )
    await publish('dissemination', {
      ...DISSEMINATION,
      destination: 'maci',
      time: 12,
      step: 24,
      expver: '0001',
    })
    const kvs = await stored()
    assert.equal(find(kvs, '/tmp/aviso/flight/20210101/italy/FCO/AZ203').value, 'Landed')
    const key =
      '/ec/diss/maci/date=20190810,target=E1,class=od,expver=0001,domain=g,time=12,stream=enfo,step=24'
    assert.equal(find(kvs, key).value, 'None')
    assert.equal(find(kvs, '/ec/admin/20190810/maci').value, 'None')
  })

  it('is left as it was by a notification that is refused', async () => {
    const before = await stored()
    const response = await fetch(`${server.url}/api/v1/notification`, {
      method: 'POST',
      body: JSON.stringify({
        specversion: '1.0',
        id: '1',
        source: '/a',
        type: 'aviso',
        data: { event: 'mars', request: { ...MARS, date: '20250230' } },
      }),
    })
    assert.equal(response.status, 400)
    assert.deepEqual(await stored(), before)
  })
})
