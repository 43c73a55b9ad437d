import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { accessTo, createFixture, keyValue, post, READS, type Fixture } from '../support.ts'
import { b64, fromB64 } from '../../../../support/etcd_wire.ts'

const KEYS = [
  '/_aviso/epoch',
  '/a',
  '/ec/diss/FOO/d=1',
  '/ec/diss/FOOBAR/d=1',
  '/ec/mars/',
  '/ec/mars/d=1',
  '/zz',
]

interface Answer {
  readonly kvs?: readonly { readonly key: string }[]
  readonly count?: string
}

async function ask(
  body: unknown,
  service: Fixture,
): Promise<{ status: number; body: Answer; keys: string[] }> {
  const response = await service.handler(post('/v3/kv/range', body))
  const parsed = (await response.json()) as Answer
  const keys = (parsed.kvs ?? []).map((kv) => fromB64(kv.key))
  return { status: response.status, body: parsed, keys }
}

describe('POST /v3/kv/range for a principal with few rights', () => {
  const service = () =>
    createFixture(
      KEYS.map((key) => keyValue(key)),
      { access: accessTo('/ec/diss/FOO/') },
    )

  const FOO = { key: b64('/ec/diss/FOO/'), range_end: b64('/ec/diss/FOO0') }

  it('answers 429 to who reads too often, and to nobody else', async () => {
    const own = service()
    const statusOf = async (): Promise<number> => (await ask(FOO, own)).status
    // A tenth of a unit for each, and a little for the key.
    for (let read = 0; read < (READS - 1) * 8; read++) assert.equal(await statusOf(), 200, String(read))
    const rest = await Promise.all(Array.from({ length: READS * 10 }, statusOf))
    assert.equal(rest.at(-1), 429)
    assert.equal((await ask(FOO, service())).status, 200)
  })

  it('lets one read take more than is left, and then makes the next one wait as long as that takes', async () => {
    const keys = Array.from({ length: 1000 }, (_, index) => keyValue(`/ec/diss/FOO/d=${index}`))
    const own = createFixture(keys, { access: accessTo('/ec/diss/FOO/') })
    assert.equal((await ask(FOO, own)).keys.length, 1000)
    const refused = await own.handler(post('/v3/kv/range', FOO))
    assert.equal(refused.status, 429)
    // 10 units for the keys and 3 for the bytes, of which 4 were there; one unit comes each second.
    assert.ok(Number(refused.headers.get('retry-after')) >= 9, String(refused.headers.get('retry-after')))
  })

  for (const [what, asks] of [
    ['a count', { count_only: true }],
    ['a small page', { limit: 1 }],
    ['a poll that finds nothing', { min_mod_revision: 100, limit: 10 }],
  ] as const)
    it(`takes for ${what} of a large range what counting costs`, async () => {
      const keys = Array.from({ length: 26_000 }, (_, index) => keyValue(`/ec/diss/FOO/d=${index}`))
      const own = createFixture(keys, { access: accessTo('/ec/diss/FOO/') })
      assert.equal((await ask({ ...FOO, ...asks }, own)).body.count, '26000')
      const refused = await own.handler(post('/v3/kv/range', FOO))
      assert.equal(refused.status, 429)
      // 13 units, of which 4 were there.
      assert.ok(Number(refused.headers.get('retry-after')) >= 9, String(refused.headers.get('retry-after')))
    })

  it('narrows the prefix of a 1.x client to what may be seen', async () => {
    const prefix = { key: b64('/ec/diss/FOO'), range_end: b64('/ec/diss/FOP') }
    assert.deepEqual((await ask(prefix, service())).keys, ['/ec/diss/FOO/d=1'])
    assert.equal((await ask({ ...prefix, count_only: true }, service())).body.count, '1')
  })

  it('forbids every other range that reaches too far', async () => {
    for (const [key, end] of [
      ['/ec/diss/FOO/', '\0'],
      ['/ec/diss/FOO/', '\u00ff'],
      ['/ec/diss/FOO/', '/ec/diss/FOOBAR0'],
      ['/ec/diss/FOO', '/zz'],
      ['/ec/diss/', '/ec/diss0'],
      ['/ec/diss/FO', '/ec/diss/FP'],
      ['\0', '\0'],
    ] as const) {
      const range = { key: b64(key), range_end: b64(end) }
      assert.equal((await ask(range, service())).status, 403, `${key} ${end}`)
      assert.equal((await ask({ ...range, count_only: true }, service())).status, 403, `${key} ${end}`)
    }
  })

  it('forbids everything else', async () => {
    for (const key of [
      '/ec/diss/FOOBAR/d=1',
      '/ec/diss/FO',
      '/ec/mars/',
      '/_aviso/epoch',
      '/ec/diss/foo/',
      '/ec/diss/../mars/',
    ]) {
      assert.equal((await ask({ key: b64(key) }, service())).status, 403, key)
    }
    assert.equal(
      (await ask({ key: b64('/ec/mars/'), range_end: b64('/ec/mars0'), count_only: true }, service())).status,
      403,
    )
  })

  it('shows no key that the store adds to its answer', async () => {
    const broken = service()
    const { range } = broken.store
    broken.store.range = async (request) => {
      const result = await range(request)
      return { ...result, kvs: [...result.kvs, keyValue('/ec/mars/d=1')] }
    }
    const { status, keys } = await ask({ key: b64('/ec/diss/FOO/d=1') }, broken)
    assert.equal(status, 503)
    assert.deepEqual(keys, [])
  })
})
