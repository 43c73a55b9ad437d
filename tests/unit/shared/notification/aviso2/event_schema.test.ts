import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import { isAvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import { satisfies } from '#shared/notification/match.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { createAviso2Schemas, MARS2, thingsOf } from '../../../../support/aviso2_schemas.ts'

const schemas = createAviso2Schemas()
const mars = schemas.require('mars')
const texts = createSchemas([
  {
    source: 'texts',
    content: thingsOf({ a: { type: 'StringHandler', required: true }, b: { type: 'StringHandler' } }),
  },
])

/** What a call is refused with. */
function refusal(code: AvisoErrorCode, call: () => unknown): string {
  try {
    call()
  } catch (error) {
    assert.ok(isAvisoError(error, code), String(error))
    return error.message
  }
  return 'taken'
}

describe('encode()', () => {
  it('makes values canonical, and keys of them in their order', () => {
    const given = {
      step: '012',
      stream: 'enfo',
      time: 6,
      date: '2026-187',
      domain: 'G',
      expver: 1,
      class: 'od',
    }
    const keys = mars.encode(given)
    assert.equal(keys.stem, '/aviso2/mars/od/0001/g/20260706/0600/enfo/12')
    assert.equal(keys.base, '/aviso2/mars/')
    assert.deepEqual(keys.request, MARS2)
  })

  it('D6: takes no notification without a field, required or not', () => {
    const { class: _class, ...rest } = MARS2
    const message = refusal('ERR_INVALID_NOTIFICATION', () => mars.encode(rest))
    assert.equal(message, "Required field 'class' missing for notify operation")
  })

  it('D7: refuses an unknown field', () => {
    const message = refusal('ERR_INVALID_NOTIFICATION', () => mars.encode({ ...MARS2, classe: 'od' }))
    assert.equal(message, "Unknown field 'classe' provided for notify operation")
    assert.match(
      refusal('ERR_INVALID_NOTIFICATION', () => mars.encode({ ...MARS2, toString: 'x' })),
      /Unknown field/,
    )
  })

  it('A19, C15: refuses null, lists and comparisons', () => {
    for (const step of [null, [1], { gte: 1 }]) {
      const message = refusal('ERR_INVALID_NOTIFICATION', () => mars.encode({ ...MARS2, step }))
      assert.equal(message, "Field 'step' must be a string, a number or a boolean")
    }
  })

  it('B10: keeps any value, and reads it from its key again', () => {
    const rows = [
      'a b',
      'a\nb',
      'a/b',
      '../..',
      '.',
      '\u0000',
      '🌧',
      '%2F',
      'x'.repeat(400),
      'Ελληνικά',
      ' a ',
      '*',
    ]
    for (const a of rows) {
      const { stem, request } = texts.require('things').encode({ a, b: 'end' })
      assert.equal(stem.split('/').length, 5, stem)
      assert.deepEqual(texts.decodeKey(stem), { event: 'things', request })
      assert.equal(request['a'], a)
    }
  })

  it('makes one key of each request, whatever is in it', () => {
    const value = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 20 })
      .filter((text) => text.isWellFormed())
    const pair = fc.tuple(value, value)
    fc.assert(
      fc.property(pair, pair, (one, other) => {
        const [first, second] = [one, other].map(([a, b]) => texts.require('things').encode({ a, b }).stem)
        assert.equal(first === second, one[0] === other[0] && one[1] === other[1])
      }),
    )
  })

  it('refuses values that are too long together', () => {
    const long = '/'.repeat(4_096)
    const message = refusal('ERR_INVALID_NOTIFICATION', () =>
      texts.require('things').encode({ a: long, b: long }),
    )
    assert.match(message, /too long together: their key is longer than 16384 bytes/)
  })
})

describe('decodeKey()', () => {
  it('reads no key that encode() does not write', () => {
    for (const key of [
      '/aviso2/things/',
      '/aviso2/things/a',
      '/aviso2/things/a/b/c',
      '/aviso2/things/%2f/b',
      '/aviso2/other/a/b',
    ]) {
      assert.equal(texts.decodeKey(key), undefined, key)
    }
    assert.equal(texts.baseOf('/aviso2/things/'), 'things')
    assert.equal(texts.baseOf('/aviso2/things/a/'), undefined)
  })
})

describe('filter()', () => {
  const required = { expver: 1, domain: 'g', date: '2026-07-06', time: '6', stream: 'enfo', step: 12 }

  it('makes what listeners give canonical, as for a notification', () => {
    const { conditions } = mars.filter(required)
    assert.equal(satisfies(conditions, MARS2), true)
    assert.equal(satisfies(conditions, { ...MARS2, time: '0601' }), false)
    assert.equal(satisfies(mars.filter({ ...required, step: [6, 12] }).conditions, MARS2), true)
  })

  it('needs the required fields only, and takes * for any value', () => {
    const { step: _step, ...rest } = required
    const message = refusal('ERR_BAD_REQUEST', () => mars.filter(rest))
    assert.equal(message, "Required field 'step' missing for watch operation")
    for (const class_ of ['*', 'od']) {
      const { conditions } = mars.filter({ ...required, step: '*', class: class_ })
      assert.equal(satisfies(conditions, { ...MARS2, step: '240' }), true)
    }
    assert.deepEqual(schemas.require('extreme').filter(undefined).conditions, new Map())
  })

  it('C18: refuses an unknown field', () => {
    const message = refusal('ERR_BAD_REQUEST', () => mars.filter({ ...required, classe: 'od' }))
    assert.equal(message, "Unknown field 'classe' provided for watch operation")
  })

  it('refuses a value that the field cannot have', () => {
    const message = refusal('ERR_BAD_REQUEST', () => mars.filter({ ...required, time: '25' }))
    assert.match(message, /^Field 'time' contains invalid time '25'/)
  })

  it('reads the prefixes that the values of leading fields make', () => {
    const { conditions } = mars.filter(required)
    const tests = mars.filter(required, new Map([['class', { kind: 'test', test: () => true }]]))
    for (const wanted of [required, { event: 'mars', conditions }, tests, { ...required, class: '*' }])
      assert.deepEqual(mars.baseKeys(wanted), ['/aviso2/mars/'])
    const prefix = '/aviso2/mars/od/0001/g/20260706/0600/enfo/'
    assert.deepEqual(mars.baseKeys({ ...required, class: 'od' }), [prefix])
    const two = mars.baseKeys({ ...required, class: ['od', 'a/'], date: '*' })
    assert.deepEqual(two, ['/aviso2/mars/od/0001/g/', '/aviso2/mars/a%2F/0001/g/'])
    const many = Array.from({ length: 100 }, (_, index) => index)
    const wide = { ...required, class: ['od', 'rd'], expver: many }
    assert.deepEqual(mars.baseKeys(wide), ['/aviso2/mars/od/', '/aviso2/mars/rd/'])
    const diss = schemas.require('dissemination')
    assert.equal(diss.baseKeys({ ...required, destination: many.map(String) }).length, 100)
  })
})
