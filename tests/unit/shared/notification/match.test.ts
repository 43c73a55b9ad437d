import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { isAvisoError } from '#shared/errors.ts'
import { BUILTIN_SCHEMAS, createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { MAX_LISTED_VALUES, satisfies } from '#shared/notification/match.ts'
import { createSchemas, type EventSchema } from '#shared/notification/schema.ts'

const schemas = createBuiltinSchemas()
const flight = schemas.require('flight')
const dissemination = schemas.require('dissemination')
const FLIGHT = { date: '20210101', country: 'italy', airport: 'FCO', number: 'AZ203' }
const DISSEMINATION = {
  destination: 'MACI',
  date: '20190810',
  target: 'E1',
  class: 'od',
  expver: '0001',
  domain: 'g',
  time: '00',
  stream: 'enfo',
  step: '24',
}

function matches(
  schema: EventSchema,
  wanted: Record<string, unknown> | null,
  request: Record<string, string>,
): boolean {
  return satisfies(schema.filter(wanted).conditions, request)
}

function refuses(wanted: Record<string, unknown>, message: string | RegExp, field: string): void {
  assert.throws(
    () => dissemination.filter(wanted),
    (error) => {
      assert.ok(isAvisoError(error, 'ERR_BAD_REQUEST'), String(error))
      if (typeof message === 'string') assert.equal(error.message, message)
      else assert.match(error.message, message)
      assert.equal(error.details['field'], field)
      return true
    },
  )
}

describe('filter()', () => {
  it("takes 2.x's spellings of dates and times from listeners, and not from providers", () => {
    const wanted = { destination: 'MACI', date: '2019-08-10', time: '0:00' }
    assert.ok(matches(dissemination, wanted, DISSEMINATION))
    for (const time of ['00:00', '0', '00', 0, ['06:00', '0:00']])
      assert.ok(matches(dissemination, { ...wanted, time, date: '2019-222' }, DISSEMINATION), String(time))
    assert.ok(!matches(dissemination, { ...wanted, time: '06:00' }, DISSEMINATION))
    for (const other of [{ date: '2019-08-10' }, { time: '00:00' }])
      assert.throws(() => dissemination.encode({ ...DISSEMINATION, ...other }), {
        code: 'ERR_INVALID_NOTIFICATION',
      })
  })

  it('refuses dates and times that no notification can have', () => {
    for (const date of ['2019-02-30', '2019-366', '2019-8-10', 'today'])
      refuses({ destination: 'MACI', date }, `Value ${date} is not valid for key date`, 'date')
    for (const time of ['06:30', '0630', '24:00', '3:00'])
      refuses({ destination: 'MACI', time }, `Value ${time} is not valid for key time`, 'time')
  })
})

describe('satisfies()', () => {
  it('makes the values of listeners canonical', () => {
    assert.ok(matches(flight, { country: 'Italy', airport: 'fco', date: 20210101 }, FLIGHT))
    assert.ok(matches(flight, { date: '202111' }, FLIGHT))
    assert.ok(
      matches(dissemination, { destination: 'MACI', expver: 1, time: 0, step: [12, '24'] }, DISSEMINATION),
    )
  })

  it('needs every condition', () => {
    assert.ok(matches(flight, { number: ['AZ203', 'AZ303'] }, FLIGHT))
    assert.ok(!matches(flight, { number: 'AZ999' }, FLIGHT))
    assert.ok(!matches(flight, { country: 'Italy', number: 'AZ999' }, FLIGHT))
    assert.ok(!matches(flight, { number: 'AZ203' }, { date: '20210101' }))
  })

  it('accepts everything where nothing is asked', () => {
    assert.ok(matches(flight, {}, FLIGHT))
    assert.ok(matches(flight, null, FLIGHT))
  })
})

describe('filter()', () => {
  const destination = 'MACI'

  it('refuses what no notification can have', () => {
    refuses({ destination, day: '1' }, 'Key day is not allowed', 'day')
    refuses({ step: 1 }, 'Wrong listener file: destination required', 'destination')
    refuses({ destination: null }, 'destination is a mandatory key', 'destination')
    refuses({ destination, step: null }, 'Value None is not valid for key step', 'step')
    refuses({ destination, step: [] }, 'Key step has an empty list, give at least one value', 'step')
    refuses({ destination, step: [1, null] }, 'Value None is not valid for key step', 'step')
    refuses({ destination, step: { gt: 1 } }, 'Value {…} is not valid for key step', 'step')
    refuses({ destination, step: [[1]] }, 'Value […] is not valid for key step', 'step')
    refuses({ destination, class: 'zz' }, 'Value zz is not valid for key class', 'class')
    refuses({ destination: 'MACI/../x' }, /must not contain "\/"/, 'destination')
    refuses({ destination: '' }, /must not be empty/, 'destination')
    refuses(
      { destination: Array.from({ length: MAX_LISTED_VALUES + 1 }, () => 'a') },
      /lists more than 1024/,
      'destination',
    )
    refuses(
      JSON.parse('{"__proto__":1}') as Record<string, unknown>,
      'Key __proto__ is not allowed',
      '__proto__',
    )
  })

  it('refuses a field that no key contains', () => {
    const [content] = [BUILTIN_SCHEMAS.get('flight')] as [{ flight: { request: object } }]
    const request = { ...content.flight.request, pilot: [{ type: 'StringHandler' }] }
    const schema = createSchemas([
      { source: 'x', content: { flight: { ...content.flight, request } } },
    ]).require('flight')
    assert.throws(() => schema.filter({ pilot: 'me' }), /Key pilot is not part of a notification's key/)
    assert.ok(schema.encode({ ...FLIGHT, pilot: 'me' }).stem.endsWith('AZ203'))
  })
})

describe('baseKeys()', () => {
  it('expands lists with canonical values', () => {
    assert.deepEqual(dissemination.baseKeys({ destination: ['FOO', 'BAR', 'FOO'] }), [
      '/ec/diss/FOO/',
      '/ec/diss/BAR/',
    ])
    assert.deepEqual(flight.baseKeys({ country: ['Italy'] }), ['/tmp/aviso/flight/'])
    assert.deepEqual(flight.baseKeys(null), ['/tmp/aviso/flight/'])
    assert.deepEqual(dissemination.baseKeys(dissemination.filter({ destination: 'A' })), ['/ec/diss/A/'])
  })

  it('makes the cartesian product, within bounds', () => {
    const type = { type: 'StringHandler', canonic: 'lower' }
    const content = {
      a: {
        endpoint: [{ engine: ['etcd_rest'], base: '/a/{x}/{y}', stem: '{n}' }],
        request: { x: [type], y: [type], n: [{ type: 'IntHandler' }] },
      },
      b: {
        endpoint: [{ engine: ['etcd_rest'], base: '/b/{n}', stem: '{x}' }],
        request: { x: [type], n: [{ type: 'IntHandler' }] },
      },
    }
    const both = createSchemas([{ source: 'x', content }])
    const schema = both.require('a')
    assert.deepEqual(schema.baseKeys({ x: ['P', 'q'], y: ['R', 's'] }), [
      '/a/p/r/',
      '/a/p/s/',
      '/a/q/r/',
      '/a/q/s/',
    ])
    const many = Array.from({ length: 40 }, (_, index) => `v${String(index)}`)
    assert.throws(() => schema.baseKeys({ x: many, y: many }), /covers more than 1024 base keys/)
    const positive = { event: 'b', conditions: new Map([['n', { kind: 'test', test: () => true } as const]]) }
    assert.throws(() => both.require('b').baseKeys(positive), /Key n must be given by its values/)
  })
})
