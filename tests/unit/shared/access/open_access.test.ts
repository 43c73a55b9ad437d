import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { toKeyRange } from '#shared/access/interval.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { END_OF_KEYS, prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { createMemoryAudit } from './support.ts'

const ALL = { key: new Uint8Array([0]), end: END_OF_KEYS }

function request(method = 'POST'): Request {
  return new Request('http://aviso.test/api/v1/admin/clean', {
    method,
    headers: { authorization: 'Bearer a, Bearer b' },
  })
}

describe('createOpenAccess()', () => {
  it('shows every request everything but the service’s own keys, whatever its credential', async () => {
    const listener = await createOpenAccess().forListening(request())
    assert.equal(listener.name, 'anonymous')
    for (const wide of ['refuse', 'narrow'] as const) {
      const { keys, relay, endsAt } = await listener.grant([ALL], wide)
      assert.deepEqual(
        keys.map(toKeyRange).map(({ key, end }) => [toText(key), end && toText(end)]),
        [
          ['\u0000', '/_aviso/'],
          ['/_aviso0', '\u0000'],
        ],
      )
      assert.deepEqual([relay, endsAt], [undefined, undefined])
    }
  })

  it('refuses the service’s own keys, and puts it on record', async () => {
    const audit = createMemoryAudit()
    const listener = await createOpenAccess({ audit }).forListening(request())
    for (const range of [prefixRange('/_aviso/'), { key: toBytes('/_aviso/epoch') }])
      await assert.rejects(listener.grant([range], 'narrow'), {
        code: 'ERR_FORBIDDEN',
        message: 'User not allowed to access the resource',
      })
    assert.deepEqual(audit.records, [
      { action: 'refused', who: undefined, reason: 'ERR_FORBIDDEN', keys: ['/_aviso/…/_aviso0'] },
      { action: 'refused', who: undefined, reason: 'ERR_FORBIDDEN', keys: ['/_aviso/epoch'] },
    ])
  })

  it('records that a stream is open, unless it is over by then', async () => {
    const audit = createMemoryAudit()
    const listener = await createOpenAccess({ audit }).forListening(request())
    const grant = await listener.grant([prefixRange('/ec/mars/')], 'refuse')
    for (let read = 0; read < 10_000; read++) (await grant.takeRead())({ reads: 1, keys: 1e6, bytes: 1e9 })
    const [open, over] = [
      await grant.takePlace({ requestId: 'r-1', event: 'mars' }),
      await grant.takePlace({ requestId: 'r-2' }),
    ]
    open.hold(() => assert.fail('no right is lost here'))
    open.leave()
    over.leave()
    over.hold(() => assert.fail('no right is lost here'))
    assert.deepEqual(audit.records, [
      {
        action: 'opened',
        who: undefined,
        requestId: 'r-1',
        event: 'mars',
        keys: ['/ec/mars/…/ec/mars0'],
      },
    ])
  })

  it('lets every request publish and administrate, and puts it on record', async () => {
    const audit = createMemoryAudit()
    const access = createOpenAccess({ audit })
    const sent = Object.assign(request(), { peer: '127.0.0.1' })
    const provider = await access.forPublishing(sent, 'r-1')
    provider.requirePublish('mars', '/ec/mars/x')
    provider.record([{ kind: 'published', event: 'mars', key: '/ec/mars/x', sequence: 7n }])
    assert.deepEqual(await access.forAdministration(request()), { name: 'anonymous' })
    await access.forAdministration(request('GET'))
    assert.deepEqual(audit.records, [
      {
        action: 'published',
        who: undefined,
        address: '127.0.0.1',
        requestId: 'r-1',
        event: 'mars',
        keys: ['/ec/mars/x'],
        ids: ['mars@7'],
        count: 1,
      },
      { action: 'administered', who: undefined, reason: 'POST /api/v1/admin/clean' },
    ])
  })
})
