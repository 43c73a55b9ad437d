import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import { AvisoError, HistoryCompacted } from '#shared/errors.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { createFixture, HEAD, keyValue, post } from '../support.ts'
import { b64, fromB64, pyavisoPull } from '../../../../support/etcd_wire.ts'

const KEYS = [
  '/_aviso/epoch',
  '/_aviso/journal/mars',
  '/a',
  '/_avis',
  '/_aviso0',
  '/ec/diss/FOO/d=1',
  '/ec/diss/FOOBAR/d=1',
  '/ec/mars/',
  '/ec/mars/d=1',
  '/zz',
]
const fixture = () => createFixture(KEYS.map((key) => keyValue(key)))

interface RangeBody {
  readonly header: {
    readonly revision: string
    readonly cluster_id: string
    readonly member_id: string
    readonly raft_term: string
  }
  readonly kvs?: readonly { readonly key: string; readonly value?: string }[]
  readonly more?: boolean
  readonly count?: string
}

async function ask(
  body: unknown,
  service = fixture(),
): Promise<{ status: number; body: RangeBody; keys: string[] }> {
  const response = await service.handler(post('/v3/kv/range', body))
  const parsed = (await response.json()) as RangeBody
  const keys = (parsed.kvs ?? []).map((kv) => fromB64(kv.key))
  return { status: response.status, body: parsed, keys }
}

/** What pyaviso 1.x sends for a prefix. */
const pyaviso = (key: string, end: string) => ({ ...pyavisoPull(key, end), min_mod_revision: 3 })

describe('POST /v3/kv/range', () => {
  it('reads for a few of many polls in one turn, so that others have a turn in between', async () => {
    const service = fixture()
    const answers = Array.from({ length: 24 }, () => ask(pyaviso('/a', '/b'), service))
    let turns = 0
    for (; service.store.asked.length < answers.length; turns++) await nextTurn()
    assert.ok(turns >= 5, `${turns} turns`)
    for (const answer of answers) assert.equal((await answer).status, 200)
  })

  it('answers a key in the shape of etcd, byte for byte', async () => {
    const { handler } = createFixture([
      keyValue('/ec/mars/d=1', { lease: 9n, modRevision: 2n ** 60n }),
      keyValue('/ec/mars/d=2'),
    ])
    const response = await handler(post('/v3/kv/range', { key: b64('/ec/mars/d=1'), limit: '1' }))
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), 'application/json')
    const text = await response.text()
    const [, cluster] = /"cluster_id":"(\d+)"/.exec(text) ?? []
    assert.equal(
      text,
      `{"header":{"cluster_id":"${cluster}","member_id":"1","revision":"40","raft_term":"1"},` +
        `"kvs":[{"key":"${b64('/ec/mars/d=1')}","create_revision":"5","mod_revision":"1152921504606846976","version":"2",` +
        `"value":"${b64('value of /ec/mars/d=1')}","lease":"9"}],"count":"1"}`,
    )
  })

  it('leaves out what is zero: no kvs, no count, no more', async () => {
    const { body } = await ask({ key: b64('/nothing') })
    assert.deepEqual(Object.keys(body), ['header'])
    assert.equal(body.header.revision, HEAD.toString())
  })

  it('sends an empty value as an empty string, which 1.x clients need', async () => {
    const service = createFixture([keyValue('/ec/mars/d=1', { value: new Uint8Array(0) })])
    const { body } = await ask({ key: b64('/ec/mars/d=1') }, service)
    assert.equal(body.kvs?.[0]?.value, '')
  })

  it('sends no value where only keys were asked for', async () => {
    const { body } = await ask({ key: b64('/ec/mars/d=1'), keysOnly: true })
    assert.equal(Object.hasOwn(body.kvs?.[0] ?? {}, 'value'), false)
  })

  it('serves the body of pyaviso 1.x, nulls included, in descending order', async () => {
    const service = fixture()
    const { status, keys } = await ask(pyaviso('/ec/mars/', '/ec/mars0'), service)
    assert.equal(status, 200)
    assert.deepEqual(keys, ['/ec/mars/d=1', '/ec/mars/'])
    const { key: _key, end: _end, ...asked } = service.store.asked[0] ?? { key: new Uint8Array(0) }
    assert.deepEqual(asked, {
      limit: 10000,
      sortOrder: 'DESCEND',
      sortTarget: 'KEY',
      keysOnly: false,
      minModRevision: 3n,
    })
  })

  it('serves the bodies of ecFlow and of the search for the latest revision', async () => {
    const ecflow = await ask({ key: b64('/ec/mars/'), range_end: b64('/ec/mars0'), min_mod_revision: 5 })
    assert.equal(ecflow.status, 200)
    assert.equal(ecflow.body.header.revision, '40')
    const latest = await ask({ key: b64('/ec/mars/'), keys_only: true })
    assert.deepEqual(latest.keys, ['/ec/mars/'])
  })

  it('caps an answer without limit and says that there is more', async () => {
    const many = Array.from({ length: 10_001 }, (_, index) =>
      keyValue(`/ec/mars/${String(index).padStart(5, '0')}`),
    )
    const { body, keys } = await ask(
      { key: b64('/ec/mars/'), range_end: b64('/ec/mars0') },
      createFixture(many),
    )
    assert.equal(keys.length, 10_000)
    assert.equal(body.more, true)
    assert.equal(body.count, '10001')
  })

  it('reads around the keys of the service at one revision', async () => {
    const service = fixture()
    const { keys, body } = await ask({ key: b64('\0'), range_end: b64('\0') }, service)
    assert.deepEqual(
      keys,
      KEYS.filter((key) => !key.startsWith('/_aviso/')).toSorted((a, b) => (a < b ? -1 : 1)),
    )
    assert.equal(body.count, '8')
    assert.deepEqual(
      service.store.asked.map((request) => request.revision),
      [undefined, HEAD],
    )
  })

  it('keeps order, limit and count where the interval is cut in two', async () => {
    const everything = { key: b64('\0'), range_end: b64('\0') }
    const last = await ask({ ...everything, sort_order: 'DESCEND', sort_target: 'KEY', limit: 3 })
    assert.deepEqual(last.keys, ['/zz', '/ec/mars/d=1', '/ec/mars/'])
    assert.equal(last.body.more, true)
    assert.equal(last.body.count, '8')
    const counted = await ask({ ...everything, count_only: true, limit: 1 })
    assert.deepEqual(Object.keys(counted.body), ['header', 'count'])
    assert.equal(counted.body.count, '8')
    const byRevision = createFixture([
      keyValue('/a', { modRevision: 3n }),
      keyValue('/b', { modRevision: 1n }),
      keyValue('/_aviso/x', { modRevision: 2n }),
      keyValue('/A', { modRevision: 2n }),
    ])
    const sorted = await ask({ ...everything, sort_target: 'MOD', sort_order: 'ASCEND' }, byRevision)
    assert.deepEqual(sorted.keys, ['/b', '/A', '/a'])
  })

  it('never shows a key of the service, whatever the range', async () => {
    const part = fc.constantFrom(
      '',
      '\0',
      '/',
      '/_',
      '/_aviso',
      '/_aviso/',
      '/_aviso/journal/mars',
      '/_aviso0',
      '/z',
      '\u00ff',
    )
    const bound = fc.tuple(part, fc.constantFrom('', '\0', '/', '0')).map(([text, tail]) => text + tail)
    const service = fixture()
    await fc.assert(
      fc.asyncProperty(bound, fc.option(bound, { nil: null }), fc.boolean(), async (key, end, descending) => {
        const order = descending ? 'DESCEND' : 'NONE'
        const { status, keys } = await ask(
          { key: b64(key), range_end: end === null ? null : b64(end), sort_order: order },
          service,
        )
        assert.ok([200, 400, 403].includes(status))
        assert.ok(!keys.some((found) => found.startsWith('/_aviso/')), keys.join())
      }),
      { numRuns: 400 },
    )
  })

  it('counts no key of the service', async () => {
    const { body } = await ask({ key: b64('/_avis'), range_end: b64('/_aviso0'), count_only: true })
    assert.equal(body.count, '1')
  })

  it('forbids what lies wholly among the keys of the service', async () => {
    for (const range of [
      { key: b64('/_aviso/epoch') },
      { key: b64('/_aviso/'), range_end: b64('/_aviso0') },
      { key: b64('/_aviso/journal/'), rangeEnd: b64('/_aviso/journal0') },
    ]) {
      const { status, body } = await ask(range)
      assert.equal(status, 403)
      assert.equal(
        (body as unknown as { message: string }).message,
        'User not allowed to access the resource',
      )
    }
  })
})

describe('POST /v3/kv/range with a malformed body', () => {
  const point = { key: b64('/ec/mars/') }
  const bodies: Record<string, unknown> = {
    'no key': {},
    'empty key': { key: '' },
    'null key': { key: null },
    'misspelt key': { keyyy: b64('/a') },
    'upper-case key': { ...point, KEY: b64('/a') },
    'empty end': { ...point, range_end: '' },
    'end equal to key': { ...point, range_end: point.key },
    'end before key': { ...point, range_end: b64('/a') },
    'end of two zero bytes': { ...point, range_end: b64('\0\0') },
    'both spellings of the end': { ...point, range_end: b64('/z'), rangeEnd: b64('\0') },
    'both spellings, one null': { ...point, range_end: b64('/z'), rangeEnd: null },
    'key twice': `{"key":"${point.key}","key":"${b64('/zz')}"}`,
    'key twice, once escaped': `{"key":"${point.key}","\\u006bey":"${b64('/zz')}"}`,
    'two documents': `{"key":"${point.key}"}{"key":"${b64('/zz')}"}`,
    'key as array': { key: [47] },
    'key as number': { key: 1 },
    'key over 1 KiB': { key: encodeBase64(new Uint8Array(1025).fill(97)) },
    'unknown field': { ...point, bogus: 1 },
    __proto__: `{"key":"${point.key}","__proto__":{}}`,
    'negative limit': { ...point, limit: -1 },
    'limit over the cap': { ...point, limit: 10_001 },
    'limit with exponent': { ...point, limit: '1e0' },
    'limit with spaces': { ...point, limit: ' 1 ' },
    'limit of 2^63': { ...point, limit: '9223372036854775808' },
    'limit as text': { ...point, limit: 'aa' },
    'limit as a fraction': { ...point, limit: 1.5 },
    'negative revision': { ...point, revision: -1 },
    'named revision': { ...point, revision: 'latest' },
    'order by value': { ...point, sort_target: 'VALUE' },
    'order by value, by number': { ...point, sort_target: 4 },
    'unknown order': { ...point, sort_order: 'BOGUS' },
    'unknown order, by number': { ...point, sort_order: 99 },
    'unknown target': { ...point, sort_target: 'KEYY' },
    'serializable as text': { ...point, serializable: 'true' },
    'keys_only as number': { ...point, keys_only: 1 },
    array: [],
    'not JSON': 'key',
    'byte order mark': '\ufeff{}',
  }
  for (const base64 of [
    'L2E_',
    'L2',
    'L2Ev\n',
    'L2Ev\r\n',
    'L2 Ev',
    '\tL2Ev',
    'L2E!',
    'AA===',
    'AA==AA==',
    'AB==',
    'Ł',
    'A',
  ]) {
    bodies[`base64 ${JSON.stringify(base64)}`] = { key: base64 }
  }

  for (const [name, body] of Object.entries(bodies)) {
    it(`refuses ${name} without asking the store`, async () => {
      const service = fixture()
      const response = await service.handler(post('/v3/kv/range', body))
      assert.equal(response.status, 400)
      const answer = (await response.json()) as { code: number; error: string; message: string }
      assert.equal(answer.code, 3)
      assert.equal(answer.error, answer.message)
      assert.equal(service.store.asked.length, 0)
    })
  }

  it('says what is missing in the words of 1.x', async () => {
    const message = async (body: string): Promise<string> =>
      ((await (await fixture().handler(post('/v3/kv/range', body))).json()) as { message: string }).message
    assert.equal(await message('{"keyyy":""}').then((text) => text.startsWith('Unknown field "keyyy"')), true)
    assert.equal(await message('{}'), 'Invalid request, key not found in the body')
    assert.equal(await message(''), 'Invalid request, data cannot be empty')
  })

  it('refuses a body over the limit', async () => {
    const response = await fixture().handler(post('/v3/kv/range', { key: 'A'.repeat(20_000) }))
    assert.equal(response.status, 413)
  })
})

describe('failures under /v3/', () => {
  const failing = async (
    error: AvisoError,
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> => {
    const service = fixture()
    service.store.failure = error
    const response = await service.handler(post('/v3/kv/range', { key: b64('/a'), revision: 2 }))
    return {
      status: response.status,
      body: (await response.json()) as Record<string, unknown>,
      headers: response.headers,
    }
  }

  it('answers compacted history with both texts that clients look for', async () => {
    const { status, body } = await failing(new HistoryCompacted('x', 9n))
    assert.equal(status, 400)
    assert.equal(body['message'], 'History not available')
    assert.equal(body['error'], 'etcdserver: mvcc: required revision has been compacted')
    assert.equal(body['code'], 11)
    assert.equal(body['oldest_revision'], '9')
  })

  it('answers a future revision as etcd does', async () => {
    const { status, body } = await failing(new AvisoError('ERR_FUTURE_POSITION', 'x'))
    assert.equal(status, 400)
    assert.equal(body['code'], 11)
    assert.equal(body['message'], 'etcdserver: mvcc: required revision is a future revision')
  })

  it('asks to come back when the store is away', async () => {
    for (const code of ['ERR_STORE_UNAVAILABLE', 'ERR_STORE_PROTOCOL', 'ERR_OVERLOADED'] as const) {
      const { status, body, headers } = await failing(new AvisoError(code, 'secret of the store'))
      assert.equal(status, 503)
      assert.equal(headers.get('retry-after'), '30')
      assert.equal(body['message'], 'Service currently unavailable, please try again later')
      assert.equal(body['code'], 14)
      assert.ok(!JSON.stringify(body).includes('secret'))
    }
  })

  it('answers other paths 404 and other methods 405, in the shape of etcd', async () => {
    const { handler } = fixture()
    for (const path of [
      '/v3/kv/put',
      '/v3/kv/txn',
      '/v3/lease/grant',
      '/v3/kv/ra',
      '/v3',
      '/v3/kv/range/',
      '/v3/%6bv/range',
      '/v3/kv%2frange',
    ]) {
      const response = await handler(post(path, { key: b64('/a') }))
      assert.equal(response.status, 404, path)
      assert.equal(((await response.json()) as { code: number }).code, 5)
    }
    const response = await handler(new Request('http://aviso.test/v3/kv/range'))
    assert.equal(response.status, 405)
    assert.equal(response.headers.get('allow'), 'POST, OPTIONS')
  })

  it('lets nobody through without a verdict', async () => {
    for (const [error, status] of [
      [new AvisoError('ERR_UNAUTHENTICATED', 'no'), 401],
      [new AvisoError('ERR_STORE_UNAVAILABLE', 'no'), 503],
      [new Error('boom'), 500],
    ] as const) {
      const service = createFixture([keyValue('/a')], {
        access: { forListening: () => Promise.reject(error) },
      })
      const response = await service.handler(post('/v3/kv/range', { key: b64('/a') }))
      assert.equal(response.status, status)
      assert.equal(service.store.asked.length, 0)
    }
  })
})
