import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isAvisoError } from '#shared/errors.ts'
import { builtins, event, schemasOf, invalid } from './schema_support.ts'
import { DISSEMINATION, DISSEMINATION_KEY } from '../../../support/notifications.ts'

describe('EventSchema', () => {
  it('knows its fields', () => {
    const schema = builtins().require('dissemination')
    const names = ['destination', 'date', 'target', 'class', 'expver', 'domain', 'time', 'stream', 'step']
    assert.deepEqual(schema.fields, names)
    assert.deepEqual(schema.requiredForNotify, names)
    assert.deepEqual(schema.requiredForListen, ['destination'])
  })
})

describe('encode()', () => {
  it('derives the keys', () => {
    const keys = builtins().require('dissemination').encode(DISSEMINATION)
    assert.equal(keys.stem, DISSEMINATION_KEY)
    assert.equal(keys.base, '/ec/diss/MACI/')
    assert.equal(keys.admin, '/ec/admin/20190810/MACI')
    assert.deepEqual(Object.keys(keys.request), builtins().require('dissemination').fields)
  })

  it('does not change what it is given', () => {
    const request = Object.freeze({ ...DISSEMINATION })
    builtins().require('dissemination').encode(request)
    assert.deepEqual(request, DISSEMINATION)
  })

  it('names the field that is wrong', () => {
    invalid({ ...DISSEMINATION, foo: '1' }, 'Key foo is not allowed', 'foo')
    invalid({ ...DISSEMINATION, date: '2019-08-10' }, 'Value 2019-08-10 is not valid for key date', 'date')
    invalid({ ...DISSEMINATION, step: null }, 'Value None is not valid for key step', 'step')
    invalid({ ...DISSEMINATION, destination: null }, 'destination is a mandatory key', 'destination')
    invalid(
      { ...DISSEMINATION, target: 'a/b' },
      'Value a/b is not valid for key target, it must not contain "/"',
      'target',
    )
    const { step: _, ...noStep } = DISSEMINATION
    invalid(noStep, 'Wrong parameters: step required', 'step')
    invalid({}, 'Wrong parameters: destination required', 'destination')
  })

  it('is not fooled by names of object members', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      invalid(JSON.parse(`{"${name}":"1"}`) as Record<string, unknown>, `Key ${name} is not allowed`, name)
    }
  })

  it('refuses a value that would make the key read as another request', () => {
    invalid(
      { ...DISSEMINATION, target: 'E1,class=rd' },
      'Value E1,class=rd is not valid for key target, it contains text that separates the fields of the key',
      'target',
    )
    const keys = builtins()
      .require('dissemination')
      .encode({ ...DISSEMINATION, target: 'E1,class' })
    assert.equal(builtins().decodeKey(keys.stem)?.request['target'], 'E1,class')
  })

  it('needs the fields of the admin key, and the same text for a field that stands twice', () => {
    const schemas = schemasOf({ a: event('/a/{x}', '{y}-{x}', { admin: '/q/{z}' }) })
    const schema = schemas.require('a')
    assert.throws(() => schema.encode({ x: '1', y: '2' }), /Wrong parameters: z required/)
    const keys = schema.encode({ x: '1', y: '2', z: '3' })
    assert.deepEqual(keys, { stem: '/a/1/2-1', base: '/a/1/', admin: '/q/3', request: { x: '1', y: '2' } })
    assert.deepEqual(schemas.decodeKey('/a/1/2-1')?.request, { x: '1', y: '2' })
    assert.equal(schemas.decodeKey('/a/1/2-3'), undefined)
    assert.equal(schemas.decodeKey('/q/3'), undefined)
  })
})

describe('decodeKey()', () => {
  it('reads notification keys only', () => {
    const schemas = builtins()
    const read = schemas.decodeKey(DISSEMINATION_KEY)
    assert.equal(read?.event, 'dissemination')
    assert.deepEqual(read.request, { ...DISSEMINATION, expver: '0001', time: '00' })
    for (const key of [
      '',
      '/',
      '/ec/diss/MACI/',
      '/ec/mars/',
      '/ec/admin/20190810/MACI',
      '/_aviso/epoch',
      '/other',
      `x${DISSEMINATION_KEY}`,
    ]) {
      assert.equal(schemas.decodeKey(key), undefined, key)
    }
  })

  it('reads keys of other writers with slashes in the stem, never in the base', () => {
    const schemas = builtins()
    assert.equal(schemas.decodeKey(DISSEMINATION_KEY.replace('E1', 'E/1'))?.request['target'], 'E/1')
    assert.equal(schemas.decodeKey(DISSEMINATION_KEY.replace('MACI', 'MACI/x')), undefined)
    const nested = schemasOf({ a: event('/a/', '{x}'), b: event('/a/b/{y}', 'z={z}', { admin: '/a/q/{y}' }) })
    assert.equal(nested.decodeKey('/a/b/1/'), undefined)
    assert.equal(nested.decodeKey('/a/q/1'), undefined)
    assert.equal(nested.decodeKey('/a/b/1/z=2/3')?.event, 'b')
    assert.deepEqual(nested.decodeKey('/a/1/2'), { event: 'a', request: { x: '1/2' } })
  })
})

describe('baseOf()', () => {
  it('knows status keys', () => {
    const schemas = builtins()
    assert.equal(schemas.baseOf('/ec/diss/MACI/'), 'dissemination')
    assert.equal(schemas.baseOf('/ec/mars/'), 'mars')
    for (const key of ['/ec/diss/MACI', '/ec/diss/', '/ec/diss/a/b/', '/ec/', DISSEMINATION_KEY, '']) {
      assert.equal(schemas.baseOf(key), undefined, key)
    }
  })
})

describe('encode() and decodeKey()', () => {
  const schemas = schemasOf({ a: event('/a/{d}', 'x={x},y={y},{z}'), b: event('/b/', '{x}/{y}') })
  const hostile = fc.string({
    unit: fc.constantFrom('a', ',', '=', 'x', 'y', 'z', '/', '.', 'é', '\0', ' '),
    maxLength: 6,
  })
  const separating = fc.string({
    unit: fc.constantFrom('a', ',', '=', ',y=', 'x', 'é'),
    minLength: 1,
    maxLength: 4,
  })
  const text = fc.oneof({ weight: 1, arbitrary: hostile }, { weight: 8, arbitrary: separating })
  const request = fc.record({ d: text, x: text, y: text, z: text })

  function tryEncode(values: Record<string, string>) {
    try {
      return schemas.require('a').encode(values)
    } catch (error) {
      assert.ok(isAvisoError(error, 'ERR_INVALID_NOTIFICATION'))
      assert.ok(['d', 'x', 'y', 'z'].includes(String(error.details['field'])))
      return undefined
    }
  }

  it('give back the same request', () => {
    let taken = 0
    fc.assert(
      fc.property(request, (values) => {
        const keys = tryEncode(values)
        if (keys === undefined) return
        taken++
        assert.deepEqual(schemas.decodeKey(keys.stem), { event: 'a', request: keys.request })
        assert.equal(schemas.baseOf(keys.base), 'a')
        assert.ok(keys.stem.startsWith(keys.base))
      }),
      { numRuns: 2000 },
    )
    assert.ok(taken > 500, `only ${String(taken)} requests were valid`)
  })

  it('give different requests different keys', () => {
    const byKey = new Map<string, string>()
    fc.assert(
      fc.property(request, (values) => {
        const keys = tryEncode(values)
        if (keys === undefined) return
        const canonical = JSON.stringify(keys.request)
        assert.equal(byKey.get(keys.stem) ?? canonical, canonical)
        byKey.set(keys.stem, canonical)
      }),
      { numRuns: 2000 },
    )
  })

  it('never throw or hang on any key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 50 }), (tail) => {
        schemas.decodeKey(`/a/${tail}`)
        schemas.baseOf(`/a/${tail}/`)
      }),
    )
  })

  it('take any JSON value without anything but the one error', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('d', 'x', 'y', 'z', '__proto__', 'q'), fc.jsonValue()),
        (values) => {
          try {
            schemas.require('a').encode(values)
          } catch (error) {
            assert.ok(isAvisoError(error, 'ERR_INVALID_NOTIFICATION'), String(error))
          }
        },
      ),
    )
  })
})
