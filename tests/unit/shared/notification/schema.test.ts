import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { builtins, event, schemasOf, refuses } from './schema_support.ts'

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
