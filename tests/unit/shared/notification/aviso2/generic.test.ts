import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import { createSchemas } from '#shared/notification/schema.ts'
import { AVISO2 } from '../../../../support/aviso2_schemas.ts'

const permissive = createSchemas([
  { source: 'permissive', content: { ...AVISO2, notification_schema_strict: false } },
])

describe('event types without a schema', () => {
  it('are there in permissive mode alone', () => {
    const empty = createSchemas([{ source: 'empty', content: { notification_schema: {} } }])
    assert.equal(empty.isPermissive, true, 'no schema and nothing said: as in 2.x')
    assert.deepEqual(permissive.events, ['mars', 'dissemination', 'extreme'])
    assert.equal(permissive.get('other')?.event, 'other')
    assert.equal(permissive.get('mars')?.fields.length, 7)
    assert.equal(permissive.rootOf('other'), '/aviso2/-/other/')
    assert.equal(permissive.rootOf('mars'), '/aviso2/mars/')
    assert.ok(permissive.roots.includes('/aviso2/-/'))
    const strict = createSchemas([{ source: 'strict', content: AVISO2 }])
    assert.equal(strict.get('other'), undefined)
    assert.equal(strict.rootOf('other'), undefined)
    assert.equal(strict.decodeKey('/aviso2/-/other/a=1'), undefined)
  })

  it('read what they write, one key for each request', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }).filter((one) => one.isWellFormed())
    const name = text.filter((one) => /^[^=\s]+$/u.test(one) && one !== '__proto__')
    const request = fc.dictionary(name, text, { minKeys: 1, maxKeys: 4, noNullPrototype: true })
    const schema = permissive.require('other')
    fc.assert(
      fc.property(request, request, (one, two) => {
        const [first, second] = [schema.encode(one), schema.encode(two)]
        assert.deepEqual(permissive.decodeKey(first.stem), { event: 'other', request: { ...one } })
        const sorted = (given: object): string =>
          JSON.stringify(Object.entries(given).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        const isSame = sorted(one) === sorted(two)
        assert.equal(first.stem === second.stem, isSame)
      }),
    )
  })

  it('read no key that they do not write', () => {
    const keys = [
      '',
      'other',
      'other/',
      'other/a',
      'other/a=',
      'other/=1',
      'other/b=1/a=2',
      'other/a=1/a=2',
      'other/a=1/',
      'other/a=%2f',
      'ot her/a=1',
      '/a=1',
    ]
    for (const key of keys) assert.equal(permissive.decodeKey(`/aviso2/-/${key}`), undefined, key)
    assert.equal(permissive.baseOf('/aviso2/-/other/'), 'other')
    for (const key of ['', 'other', 'other/a/', '/'])
      assert.equal(permissive.baseOf(`/aviso2/-/${key}`), undefined, key)
  })
})
