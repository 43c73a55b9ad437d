/**
 * Conformance of keys and validation with Aviso 1.x: the rows of its behaviour inventory that concern the notification model.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { isAvisoError } from '#shared/errors.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import type { FieldOptions } from '#shared/notification/field_options.ts'
import { createField } from '#shared/notification/fields.ts'
import { satisfies } from '#shared/notification/match.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { toListenerNotification } from '#shared/notification/to_listener_notification.ts'
import { encodePayload } from '#shared/notification/value.ts'
import { DISSEMINATION } from '../support/notifications.ts'

const schemas = createBuiltinSchemas()
const FLIGHT = { country: 'Italy', airport: 'fco', date: '20210101', number: 'AZ203' }
const FIXTURE = {
  flight: {
    endpoint: [
      {
        engine: ['etcd_rest', 'etcd_grpc', 'file_based'],
        base: '/tmp/aviso/flight/{country}/',
        stem: '{date}/{airport}/{number}',
        admin: '/tmp/admin/{country}',
      },
    ],
    request: {
      date: [{ canonic: '%Y%m%d', type: 'DateHandler' }],
      country: [{ canonic: 'lower', type: 'StringHandler' }],
      airport: [{ canonic: 'upper', type: 'StringHandler' }],
      number: [{ type: 'StringHandler' }],
    },
  },
}
const fixture = createSchemas([{ source: 'fixture', content: FIXTURE }]).require('flight')

function refusal(event: string, request: Record<string, unknown>): string {
  try {
    schemas.require(event).encode(request)
  } catch (error) {
    assert.ok(isAvisoError(error), String(error))
    assert.equal(error.status, 400)
    return error.message
  }
  return 'taken'
}

function process(types: FieldOptions[], value: unknown): string {
  const result = createField('test', types).canonicalise(value)
  return typeof result === 'string' ? result : (result.reason ?? result.message)
}

describe('REST rows', () => {
  it('1: dissemination keys', () => {
    const keys = schemas.require('dissemination').encode(DISSEMINATION)
    assert.equal(
      keys.stem,
      '/ec/diss/MACI/date=20190810,target=E1,class=od,expver=0001,domain=g,time=00,stream=enfo,step=1',
    )
    assert.equal(keys.base, '/ec/diss/MACI/')
    assert.equal(keys.admin, '/ec/admin/20190810/MACI')
  })

  it('2: mars keys, no admin key, None for no payload', () => {
    const { target: _target, destination: _destination, ...request } = DISSEMINATION
    const keys = schemas.require('mars').encode(request)
    assert.equal(keys.stem, '/ec/mars/date=20190810,class=od,expver=0001,domain=g,time=00,stream=enfo,step=1')
    assert.equal(keys.base, '/ec/mars/')
    assert.equal('admin' in keys, false)
    assert.equal(new TextDecoder().decode(encodePayload(undefined)), 'None')
  })

  it('15: unknown event', () => {
    assert.equal(
      refusal('foo', DISSEMINATION),
      'Invalid notification, foo could not be located in the schema',
    )
  })

  it('16, 29: unknown keys', () => {
    assert.equal(refusal('dissemination', { ...DISSEMINATION, foo: '1' }), 'Key foo is not allowed')
    assert.equal(refusal('dissemination', { ...DISSEMINATION, payload: 'x' }), 'Key payload is not allowed')
  })

  it('17: missing key', () => {
    const { step: _step, ...request } = DISSEMINATION
    assert.equal(refusal('dissemination', request), 'Wrong parameters: step required')
  })

  it('18, 19: invalid values', () => {
    for (const [field, value] of [
      ['date', '2019-08-10'],
      ['class', 'zz'],
      ['step', '100001'],
      ['time', '5'],
      ['expver', 'abcd'],
    ] as const) {
      assert.equal(
        refusal('dissemination', { ...DISSEMINATION, [field]: value }),
        `Value ${value} is not valid for key ${field}`,
      )
    }
  })

  it('20: integers, and no change of case', () => {
    const keys = schemas
      .require('dissemination')
      .encode({ ...DISSEMINATION, time: 12, step: 24, expver: '0001', destination: 'maci' })
    assert.equal(
      keys.stem,
      '/ec/diss/maci/date=20190810,target=E1,class=od,expver=0001,domain=g,time=12,stream=enfo,step=24',
    )
  })

  it('21: the default stands for empty text', () => {
    assert.equal(
      schemas.require('dissemination').encode({ ...DISSEMINATION, domain: '' }).request['domain'],
      'g',
    )
  })
})

describe('Keys and validation rows', () => {
  it('81: flight key', () => {
    assert.equal(schemas.require('flight').encode(FLIGHT).stem, '/tmp/aviso/flight/20210101/italy/FCO/AZ203')
  })

  it('82, 83, 84: refusals', () => {
    const { number: _number, ...request } = FLIGHT
    assert.equal(refusal('flight', request), 'Wrong parameters: number required')
    assert.equal(refusal('flight', { ...FLIGHT, payload: 'Landed' }), 'Key payload is not allowed')
    assert.equal(
      refusal('flight2', FLIGHT),
      'Invalid notification, flight2 could not be located in the schema',
    )
  })

  it('87: IntHandler', () => {
    const types: FieldOptions[] = [{ type: 'IntHandler', range: [0, 20], canonic: '{0:0>4}' }]
    for (const value of [12.33, 12, '12']) assert.equal(process(types, value), '0012')
    assert.equal(process(types, 25), 'Value 25 for key test is outside the range defined')
    assert.equal(process(types, -2), 'Value -2 for key test is outside the range defined')
    assert.equal(process(types, 'aaa'), 'Key test has to be an integer')
  })

  it('88: FloatHandler', () => {
    const types: FieldOptions[] = [{ type: 'FloatHandler', canonic: '{:2.2f}' }]
    assert.equal(process(types, 12.33243254323), '12.33')
    assert.equal(process(types, 12), '12.00')
    assert.equal(process(types, 'aaa'), 'Key test has to be a float')
  })

  it('89: RegexHandler', () => {
    const types: FieldOptions[] = [{ type: 'RegexHandler', regex: 'a' }]
    assert.equal(process(types, 'aaa'), 'aaa')
    assert.equal(process(types, 'bbb'), 'Value bbb is not valid for key test')
  })

  it('90: StringHandler', () => {
    assert.equal(process([{ type: 'StringHandler', canonic: 'upper' }], 'aaa'), 'AAA')
    const request = { ...FIXTURE.flight.request, number: [{ type: 'StringHandler', canonic: 'uppercase' }] }
    assert.throws(
      () => createSchemas([{ source: 'x', content: { flight: { ...FIXTURE.flight, request } } }]),
      /Case uppercase not recognised/,
    )
  })

  it('91: DateHandler', () => {
    const types: FieldOptions[] = [{ type: 'DateHandler', canonic: '%Y%m%d' }]
    assert.equal(process(types, '20200215'), '20200215')
    assert.equal(process(types, '202021'), '20200201')
    for (const value of ['2020/02/15', '12', 12, 'aaa']) {
      assert.equal(process(types, value), 'Date attribute is not complying with the format defined')
    }
  })

  it('92: EnumHandler', () => {
    const types: FieldOptions[] = [{ type: 'EnumHandler', values: ['1', '2', '3'] }]
    assert.equal(process(types, '1'), '1')
    assert.equal(process(types, '11'), 'Key test accepts only the following values: 1,2,3')
  })

  it('93: TimeHandler', () => {
    const types: FieldOptions[] = [
      { type: 'TimeHandler', values: ['0', '6', '12', '18'], canonic: '{0:0>2}' },
    ]
    assert.equal(process(types, '12'), '12')
    assert.equal(process(types, '0'), '00')
    assert.equal(process(types, '11'), 'Key test accepts only the following values: 0,6,12,18')
  })

  it('94: alternatives in order', () => {
    const types: FieldOptions[] = [{ type: 'EnumHandler', values: ['auto', "'off'"] }, { type: 'IntHandler' }]
    assert.equal(process(types, 'auto'), 'auto')
    for (const value of [12, 12.5, '12']) assert.equal(process(types, value), '12')
    const refused = createField('postproc', types).canonicalise('aaaa')
    assert.equal(typeof refused === 'string' || refused.message, 'Value aaaa is not valid for key postproc')
  })

  it('95: admin key', () => {
    const keys = fixture.encode(FLIGHT)
    assert.equal(keys.admin, '/tmp/admin/italy')
    assert.equal(keys.base, '/tmp/aviso/flight/italy/')
    assert.equal(keys.stem, '/tmp/aviso/flight/italy/20210101/FCO/AZ203')
  })

  it('96: padding', () => {
    const { request } = schemas
      .require('dissemination')
      .encode({ ...DISSEMINATION, expver: 1, time: 0, step: 1 })
    assert.deepEqual([request['expver'], request['time'], request['step']], ['0001', '00', '1'])
  })
})

describe('Listening rows', () => {
  it('97: base keys are canonical', () => {
    assert.deepEqual(fixture.baseKeys({ country: ['Italy', 'Germany'] }), [
      '/tmp/aviso/flight/italy/',
      '/tmp/aviso/flight/germany/',
    ])
  })

  it('98, 99, 100: notification of a key', () => {
    const key = '/tmp/aviso/flight/20210101/italy/FCO/AZ203'
    const schema = schemas.require('flight')
    const decoded = schemas.decodeKey(key)
    assert.ok(decoded)
    const request = { date: '20210101', country: 'italy', airport: 'FCO', number: 'AZ203' }
    assert.deepEqual(toListenerNotification(schema, decoded.request, encodePayload('Landed')), {
      event: 'flight',
      request,
      payload: 'Landed',
    })
    assert.deepEqual(toListenerNotification(schema, decoded.request, encodePayload(null)), {
      event: 'flight',
      request,
    })
    assert.ok(satisfies(schema.filter({ number: ['AZ203', 'AZ303'] }).conditions, decoded.request))
    assert.ok(!satisfies(schema.filter({ number: 'AZ999' }).conditions, decoded.request))
  })
})
