import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { keysUnder, put } from '../unit/services/admin/jobs/fixture.ts'
import { setUp, type AdminFixture, type Answer } from './admin_fixture.ts'

const PATH = '/api/v1/admin/config'

function push(
  { call }: AdminFixture,
  service: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Answer> {
  const list = Object.entries(files).map(([path, content]) => ({
    path,
    content: encodeBase64(typeof content === 'string' ? toBytes(content) : content),
  }))
  return call('POST', `${PATH}/push`, { service, message: 'first', files: list, ...more })
}

async function contents({ store }: AdminFixture, service: string): Promise<Record<string, string>> {
  const keys = await keysUnder(store, `/ec/config/${service}/`)
  const entries = keys.map(async (key) => {
    const [kv] = (await store.range({ key: toBytes(key) })).kvs
    return [key.slice(`/ec/config/${service}/`.length), toText(kv?.value ?? new Uint8Array())] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

describe('POST /api/v1/admin/config/push', () => {
  it('writes files and the status in one revision, laid out as 1.x does', async () => {
    const fixture = setUp()
    const { store, call } = fixture
    const before = (await store.status()).revision
    const { status, body } = await push(
      fixture,
      'aviso/v1',
      { 'a.json': '{}', 'sub/b.txt': 'b' },
      { message: 'words', unix_user: 'me', hostname: 'here' },
    )
    assert.equal(status, 200)
    assert.equal(body['message'], 'Push operation for service aviso/v1 successfully executed')
    assert.equal((await store.status()).revision, before + 1n)
    assert.deepEqual(await contents(fixture, 'aviso/v1'), { 'a.json': '{}', 'sub/b.txt': 'b' })
    const [kv] = (await store.range({ key: toBytes('/ec/config/aviso/v1') })).kvs
    assert.equal(
      toText(kv?.value ?? new Uint8Array()),
      '{"etcd_user": null, "message": "words", "unix_user": "me", "aviso_version": "1.2.3", "engine": "ETCD_REST", "hostname": "here", "date_time": "2026-11-25T00:30:00.000000Z"}',
    )
    const shown = await call('GET', `${PATH}?service=aviso/v1`)
    assert.equal((shown.body['status'] as { version: number }).version, 1)
    const file = await call('GET', `${PATH}/file?service=aviso/v1&path=sub/b.txt`)
    assert.deepEqual([file.status, file.text], [200, 'b'])
  })
  it('adds to what is there, or replaces it', async () => {
    const fixture = setUp()
    await push(fixture, 'aviso/v1', { a: '1', b: '2' })
    await push(fixture, 'aviso/v1', { a: '3' })
    assert.deepEqual(await contents(fixture, 'aviso/v1'), { a: '3', b: '2' })
    const { body } = await push(fixture, 'aviso/v1', { a: '4' }, { delete: true })
    assert.deepEqual([body['files'], body['deleted']], [['a'], ['b']])
    assert.deepEqual(await contents(fixture, 'aviso/v1'), { a: '4' })
  })
  it('takes more files than one transaction', async () => {
    const fixture = setUp()
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`f${index}`, `${index}`]))
    assert.equal((await push(fixture, 'aviso/v1', many)).status, 200)
    const large = new Uint8Array(1_000_000).fill(65)
    assert.equal((await push(fixture, 'big', { a: large, b: large, c: large })).status, 200)
    assert.equal((await keysUnder(fixture.store, '/ec/config/aviso/v1/')).length, 300)
    assert.equal((await keysUnder(fixture.store, '/ec/config/big/')).length, 3)
    // The whole of it is taken back at once, although it was several revisions.
    await push(fixture, 'aviso/v1', { f0: 'changed' })
    await push(
      fixture,
      'aviso/v1',
      Object.fromEntries(Object.keys(many).map((path) => [path, 'all changed'])),
    )
    assert.equal((await fixture.call('POST', `${PATH}/revert`, { service: 'aviso/v1' })).status, 200)
    assert.deepEqual(await contents(fixture, 'aviso/v1'), { ...many, f0: 'changed' })
  })
  it('refuses what would harm somebody', async () => {
    const fixture = setUp()
    for (const [service, files, status] of [
      ['aviso/v1', { '../x': 'a' }, 400],
      ['aviso/v1', { '/x': 'a' }, 400],
      ['aviso/v1', { 'a/../../x': 'a' }, 400],
      ['aviso/v1', { a: '' }, 400],
      ['aviso/v1', {}, 400],
      ['../aviso', { a: 'a' }, 400],
      ['', { a: 'a' }, 400],
      ['aviso/v1', { a: new Uint8Array(1_048_577) }, 413],
    ] as const) {
      const answer = await push(fixture, service, files)
      assert.equal(answer.status, status, `${service} ${Object.keys(files).join()}`)
    }
    assert.equal((await push(fixture, 'aviso/v1', { a: 'a' }, { message: '' })).status, 400)
    const twice = [
      { path: 'a', content: 'YQ==' },
      { path: 'a', content: 'Yg==' },
    ]
    assert.equal(
      (await fixture.call('POST', `${PATH}/push`, { service: 's', message: 'm', files: twice })).status,
      400,
    )
    assert.equal(
      (
        await fixture.call('POST', `${PATH}/push`, {
          service: 's',
          message: 'm',
          files: [{ path: 'a', content: '*' }],
        })
      ).status,
      400,
    )
    assert.deepEqual(await keysUnder(fixture.store, '/ec/'), [])
  })
  it('refuses a schema that the services would read and could not use', async () => {
    const fixture = setUp({ schemaService: 'aviso/v1' })
    const bad = { 'event_listener_schema.json': '{"mars":{}}' }
    const { status, body } = await push(fixture, 'aviso/v1', bad)
    assert.equal(status, 400)
    assert.match(String(body['message']), /nothing was pushed.*mars/)
    assert.deepEqual(await keysUnder(fixture.store, '/ec/'), [])
    // Somebody else's business.
    assert.equal((await push(fixture, 'other', bad)).status, 200)
  })
})

describe('POST /api/v1/admin/config/remove', () => {
  it('says first what it would remove', async () => {
    const fixture = setUp()
    await push(fixture, 'aviso/v1', { a: '1' })
    const { body } = await fixture.call('POST', `${PATH}/remove`, { service: 'aviso/v1' })
    assert.deepEqual([body['dry_run'], body['files']], [true, ['a']])
    assert.deepEqual(await contents(fixture, 'aviso/v1'), { a: '1' })
  })
  it('removes the service of that name, and no other', async () => {
    const fixture = setUp()
    for (const service of ['aviso/v1', 'aviso/v10', 'aviso/v1-beta', 'aviso/v1/nested'])
      await push(fixture, service, { a: service })
    await put(fixture.store, '/ec/config/aviso/v', '/ec/config/aviso')
    const { body } = await fixture.call('POST', `${PATH}/remove`, { service: 'aviso/v1', doit: true })
    assert.deepEqual(body['deleted'], ['a'])
    assert.deepEqual(await keysUnder(fixture.store, '/ec/config/'), [
      '/ec/config/aviso',
      '/ec/config/aviso/v',
      '/ec/config/aviso/v1-beta',
      '/ec/config/aviso/v1-beta/a',
      '/ec/config/aviso/v1/nested',
      '/ec/config/aviso/v1/nested/a',
      '/ec/config/aviso/v10',
      '/ec/config/aviso/v10/a',
    ])
    assert.equal(
      (await fixture.call('POST', `${PATH}/remove`, { service: 'aviso/v1', doit: true })).status,
      404,
    )
  })
})

describe('POST /api/v1/admin/config/revert', () => {
  it('brings the last state back, and twice is back again', async () => {
    const fixture = setUp()
    await push(fixture, 's', { a: '1', gone: 'x' })
    await push(fixture, 's', { a: '2', added: 'y' }, { message: 'second', delete: true })
    const revert = (): Promise<Answer> => fixture.call('POST', `${PATH}/revert`, { service: 's' })
    const messageNow = async (): Promise<unknown> =>
      ((await fixture.call('GET', `${PATH}?service=s`)).body['status'] as Record<string, unknown>)['message']
    assert.equal((await revert()).status, 200)
    assert.deepEqual(await contents(fixture, 's'), { a: '1', gone: 'x' })
    assert.equal(await messageNow(), 'first')
    await revert()
    assert.deepEqual(await contents(fixture, 's'), { a: '2', added: 'y' })
    assert.equal(await messageNow(), 'second')
  })
  it('reverts what 1.x has pushed', async () => {
    const fixture = setUp()
    await put(fixture.store, ['/ec/config/s/a', '1'], ['/ec/config/s', '{"message":"old"}'])
    await put(fixture.store, ['/ec/config/s/a', '2'], ['/ec/config/s', '{"message":"new"}'])
    assert.equal((await fixture.call('POST', `${PATH}/revert`, { service: 's' })).status, 200)
    assert.deepEqual(await contents(fixture, 's'), { a: '1' })
  })
  it('says where there is nothing to go back to', async () => {
    const fixture = setUp()
    await push(fixture, 's', { a: '1' })
    assert.equal((await fixture.call('POST', `${PATH}/revert`, { service: 's' })).status, 404)
    assert.equal((await fixture.call('POST', `${PATH}/revert`, { service: 'nothing' })).status, 404)
    await push(fixture, 's', { a: '2' })
    await fixture.store.compact((await fixture.store.status()).revision)
    assert.equal((await fixture.call('POST', `${PATH}/revert`, { service: 's' })).status, 410)
  })
})

describe('GET /api/v1/admin/config', () => {
  it('does not know services and files that are not there', async () => {
    const fixture = setUp()
    await push(fixture, 's', { a: '1' })
    for (const query of ['?service=x', '/file?service=s&path=b', '/file?service=x&path=a'])
      assert.equal((await fixture.call('GET', PATH + query)).status, 404, query)
    for (const query of [
      '',
      '?service=../s',
      '/file?service=s&path=../s/a',
      '/file?service=s&path=a&revision=x',
    ])
      assert.equal((await fixture.call('GET', PATH + query)).status, 400, query)
  })
})

describe('two operators at once', () => {
  it('one of them is told to look again', async () => {
    const fixture = setUp()
    await push(fixture, 's', { a: '1' })
    const answers = await Promise.all([push(fixture, 's', { a: '2' }), push(fixture, 's', { a: '3' })])
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 409],
    )
  })
})
