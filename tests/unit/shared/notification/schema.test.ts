import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import fc from 'fast-check'

import { isAvisoError } from '#shared/errors.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import { createSchemas, type Schemas } from '#shared/notification/schema.ts'

const DISSEMINATION = {
  target: 'E1',
  class: 'od',
  date: '20190810',
  destination: 'MACI',
  domain: 'g',
  expver: '1',
  step: '1',
  stream: 'enfo',
  time: '0',
}
const STEM = '/ec/diss/MACI/date=20190810,target=E1,class=od,expver=0001,domain=g,time=00,stream=enfo,step=1'

function builtins(): Schemas {
  return createSchemas([...BUILTIN_SCHEMAS].map(([source, content]) => ({ source, content })))
}

/** An event type with text fields only. */
function event(base: string, stem: string, extra: object = {}): object {
  const names = [...`${base}${stem}${JSON.stringify(extra)}`.matchAll(/\{(\w+)\}/g)].map(
    (match) => match[1] ?? '',
  )
  return {
    endpoint: [{ engine: ['etcd_rest'], base, stem, ...extra }],
    request: Object.fromEntries(names.map((name) => [name, [{ type: 'StringHandler' }]])),
  }
}

function schemasOf(...contents: object[]): Schemas {
  return createSchemas(contents.map((content, index) => ({ source: `file${String(index)}.json`, content })))
}

function refuses(contents: unknown[], pattern: RegExp): void {
  assert.throws(
    () => createSchemas(contents.map((content, index) => ({ source: `file${String(index)}.json`, content }))),
    (error) => {
      assert.ok(isAvisoError(error, 'ERR_CONFIG'), String(error))
      assert.match(error.message, pattern)
      return true
    },
  )
}

function invalid(request: Record<string, unknown>, message: string | RegExp, field: string): void {
  assert.throws(
    () => builtins().require('dissemination').encode(request),
    (error) => {
      assert.ok(isAvisoError(error, 'ERR_INVALID_NOTIFICATION'), String(error))
      if (typeof message === 'string') assert.equal(error.message, message)
      else assert.match(error.message, message)
      assert.equal(error.details['field'], field)
      return true
    },
  )
}

describe('createSchemas()', () => {
  it('combines files and keeps their payload names', () => {
    const schemas = builtins()
    assert.deepEqual(schemas.events, ['flight', 'dissemination', 'mars'])
    assert.deepEqual([...schemas.roots].toSorted(), ['/ec/diss/', '/ec/mars/', '/tmp/aviso/flight/'])
    assert.equal(schemas.get('flight')?.payloadName, 'payload')
    assert.equal(schemas.get('mars')?.payloadName, 'location')
    assert.equal(schemas.get('toString'), undefined)
  })

  it('refuses an unknown event with the text of 1.x', () => {
    assert.throws(
      () => builtins().require('foo'),
      (error) =>
        isAvisoError(error, 'ERR_UNKNOWN_EVENT') &&
        error.message === 'Invalid notification, foo could not be located in the schema' &&
        error.details['event'] === 'foo',
    )
  })

  it('takes the first entry for etcd_rest, else etcd_grpc', () => {
    const entry = (engine: string, base: string) => ({ engine: [engine], base, stem: '{x}' })
    const request = { x: [{ type: 'StringHandler' }] }
    const grpc = entry('etcd_grpc', '/grpc/')
    const both = schemasOf({
      a: { endpoint: [grpc, entry('etcd_rest', '/one/'), entry('etcd_rest', '/two/')], request },
    })
    assert.deepEqual(both.roots, ['/one/'])
    assert.deepEqual(schemasOf({ a: { endpoint: [grpc], request } }).roots, ['/grpc/'])
  })

  it('drops a leading slash of the stem and adds one to the base', () => {
    const keys = schemasOf({ a: event('/a/{x}', '/{y}') })
      .require('a')
      .encode({ x: '1', y: '2' })
    assert.deepEqual(keys, { stem: '/a/1/2', base: '/a/1/', request: { x: '1', y: '2' } })
  })

  it('allows keys it does not know', () => {
    const content = { _comment: 'text', version: 1, a: { ...event('/a/', '{x}'), owner: 'me' } }
    assert.deepEqual(schemasOf(content).events, ['a'])
    assert.equal((schemasOf(content).require('a').rawDescription as Record<string, unknown>)['owner'], 'me')
  })

  it('keeps only the shortest roots', () => {
    const schemas = schemasOf({ a: event('/a/', 'x={x}'), b: event('/a/b/', 'y={y}') })
    assert.deepEqual(schemas.roots, ['/a/'])
  })

  const good = event('/a/', '{x}') as { endpoint: object[]; request: object }
  const typed = (type: object) => ({ a: { ...good, request: { x: [type] } } })
  const formed = (base: string, stem: string, extra?: object) => ({ a: event(base, stem, extra) })
  for (const [what, content, pattern] of [
    ['null', null, /^Schema file0\.json: It must be a JSON object$/],
    ['a list', [], /JSON object/],
    ['no events', { version: 1 }, /defines no event type/],
    ['an event that is null', { a: null }, /^Schema file0\.json, a: /],
    ['a bad payload name', { payload: 'event', a: good }, /^Schema file0\.json, payload: /],
    ['a payload that is no text', { payload: 5, a: good }, /^Schema file0\.json, payload: /],
    ['a bad event name', { 'a/b': good }, /^Schema file0\.json, a\/b: .*name/],
    ['no endpoint', { a: { request: {} } }, /^Schema file0\.json, a\.endpoint: /],
    [
      'an empty endpoint',
      { a: { endpoint: [], request: {} } },
      /, a\.endpoint: 'endpoint' should be a non empty list$/,
    ],
    ['no engine', { a: { ...good, endpoint: [{ base: '/a/', stem: '{x}' }] } }, /, a\.endpoint\.0\.engine: /],
    [
      'no fitting engine',
      { a: { ...good, endpoint: [{ engine: ['file_based'] }] } },
      /etcd_rest or etcd_grpc/,
    ],
    [
      'no base',
      { a: { ...good, endpoint: [{ engine: ['etcd_rest'], stem: '{x}' }] } },
      /'base' in 'endpoint'/,
    ],
    [
      'no stem',
      { a: { ...good, endpoint: [{ engine: ['etcd_rest'], base: '/a/' }] } },
      /'stem' in 'endpoint'/,
    ],
    ['a stem of a slash', formed('/a/', '/'), /'stem' in 'endpoint'/],
    ['no request', { a: { endpoint: good.endpoint } }, /, a\.request: /],
    ['a field without types', { a: { ...good, request: { x: [] } } }, /, a\.request\.x: /],
    [
      'a type without name',
      typed({}),
      /, a\.request\.x\.0\.type: Wrong schema structure, 'type' could not be located$/,
    ],
    [
      'an unknown type',
      typed({ type: 'XHandler' }),
      /, a\.request\.x\.0\.type: Type "XHandler" is not one of StringHandler, /,
    ],
    [
      'an unknown case',
      typed({ type: 'StringHandler', canonic: 'uppercase' }),
      /Case uppercase not recognised$/,
    ],
    ['an enum without values', typed({ type: 'EnumHandler' }), /, a\.request\.x\.0\.values: /],
    [
      'an enum with no values',
      typed({ type: 'EnumHandler', values: [] }),
      /, a\.request\.x\.0\.values: .*empty/,
    ],
    [
      'an enum of mixed values',
      typed({ type: 'EnumHandler', values: ['a', 1] }),
      /list of strings or a list of numbers/,
    ],
    ['a bad date format', typed({ type: 'DateHandler', canonic: '%Q' }), /, a\.request\.x: Date format "%Q"/],
    ['a date without format', typed({ type: 'DateHandler' }), /, a\.request\.x\.0\.canonic: /],
    ['a bad canonic', typed({ type: 'IntHandler', canonic: '{0:s}' }), /, a\.request\.x: Format "\{0:s\}"/],
    ['a range of one', typed({ type: 'IntHandler', range: [1] }), /, a\.request\.x\.0\.range/],
    ['a range upside down', typed({ type: 'IntHandler', range: [2, 1] }), /, a\.request\.x\.0\.range/],
    ['a bad regex', typed({ type: 'RegexHandler', regex: '(' }), /, a\.request\.x: The regex/],
    ['an undeclared field', { a: { ...good, request: {} } }, /, a\.endpoint: Field \{x\} is not declared/],
    [
      'an undeclared admin field',
      { a: { ...good, endpoint: [{ ...good.endpoint[0], admin: '/q/{y}' }] } },
      /Field \{y\}/,
    ],
    ['fields that touch', formed('/a/', '{x}{y}'), /two fields without text between/],
    ['a relative base', formed('a/', '{x}'), /'base' must begin with a fixed segment/],
    ['a base of everything', formed('/', '{x}'), /'base' must begin with a fixed segment/],
    ['a base that begins with a field', formed('/{x}/', 'y'), /'base' must begin with a fixed segment/],
    ['our own prefix', formed('/_aviso/', '{x}'), /Keys under \/_aviso\/ are reserved/],
    ['our own prefix below a field', formed('/_aviso/{x}/', 'y'), /reserved/],
    ['our own prefix as admin key', formed('/a/', '{x}', { admin: '/{y}/{z}' }), /reserved/],
    [
      'an admin key that is its notification',
      formed('/a/', '{x}', { admin: '/a/{x}' }),
      /admin keys could be notification keys/,
    ],
    [
      'an admin key that is its status',
      formed('/a/{x}', 'y', { admin: '/a/{x}/' }),
      /admin keys could be status keys/,
    ],
    ['a field called event', formed('/a/', '{event}'), /"event" cannot be used/],
    ['a field called as the payload', formed('/a/', '{payload}'), /"payload" cannot be used/],
    [
      'a field called __proto__',
      JSON.parse('{"a":{"request":{"__proto__":[]}}}') as object,
      /"__proto__" cannot be used/,
    ],
  ] as const) {
    it(`refuses ${what}`, () => refuses([content], pattern))
  }

  it('refuses an event defined twice', () => {
    refuses([formed('/a/', '{x}'), formed('/b/', '{x}')], /^Schema file1\.json, a: .* file0\.json$/)
  })

  it('refuses event types whose keys could be mistaken for each other', () => {
    refuses(
      [{ a: event('/x/', '{p}') }, { b: event('/x/', '{q}') }],
      /^Schema file1\.json, b\.endpoint: Its notification/,
    )
    refuses(
      [{ a: event('/x/', '{p}/{q}') }, { b: event('/x/{p}', 'q') }],
      /Its notification keys could be notification/,
    )
    refuses(
      [{ a: event('/x/', 'p={p}') }, { b: event('/x/', 'q={q}') }],
      /Its status keys could be status keys of a/,
    )
    refuses(
      [{ a: event('/x/', '{p}/') }, { b: event('/x/{p}', 'q={q}') }],
      /Its status keys could be notification keys/,
    )
  })

  it('allows event types below one another whose keys differ', () => {
    const schemas = schemasOf({ a: event('/x/', 'p={p}'), b: event('/x/{d}', 'q={q}') })
    assert.deepEqual(schemas.decodeKey('/x/p=1'), { event: 'a', request: { p: '1' } })
    assert.deepEqual(schemas.decodeKey('/x/1/q=2'), { event: 'b', request: { d: '1', q: '2' } })
    assert.deepEqual(schemas.decodeKey('/x/p=1/q=2'), { event: 'b', request: { d: 'p=1', q: '2' } })
  })
})

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
    assert.equal(keys.stem, STEM)
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
    const read = schemas.decodeKey(STEM)
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
      `x${STEM}`,
    ]) {
      assert.equal(schemas.decodeKey(key), undefined, key)
    }
  })

  it('reads keys of other writers with slashes in the stem, never in the base', () => {
    const schemas = builtins()
    assert.equal(schemas.decodeKey(STEM.replace('E1', 'E/1'))?.request['target'], 'E/1')
    assert.equal(schemas.decodeKey(STEM.replace('MACI', 'MACI/x')), undefined)
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
    for (const key of ['/ec/diss/MACI', '/ec/diss/', '/ec/diss/a/b/', '/ec/', STEM, '']) {
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
