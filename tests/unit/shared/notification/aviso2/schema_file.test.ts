/** Bad schemas of aviso 2.x: each is refused with its place and what to do (rows A20, B8, B9, K1, K2 of the conformance cases). */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createSchemas } from '#shared/notification/schema.ts'
import { AVISO2, createAviso2Schemas, thingsOf } from '../../../../support/aviso2_schemas.ts'
import { event, refuses } from '../schema_support.ts'

const TEXT = { type: 'StringHandler', required: true }
const POLYGON = { type: 'PolygonHandler', required: true }
const CLOUD = { type: 'PointCloudHandler' }

/** A file with one event type `a`. */
function withTopic(topic: unknown, identifier: object = { x: TEXT }): object {
  return { notification_schema: { a: { topic, identifier } } }
}

const ROWS: readonly (readonly [name: string, content: object, message: RegExp])[] = [
  [
    'A20: unknown handler',
    thingsOf({ x: { type: 'Strng' } }),
    /file0\.json, notification_schema\.things\.identifier\.x\.type: The type "Strng" is not known: use one of StringHandler, DateHandler/,
  ],
  ['A20: no handler', thingsOf({ x: { required: true } }), /identifier\.x\.type: It has no type: use one of/],
  [
    'A20: unknown option',
    thingsOf({ x: { type: 'StringHandler', maxlength: 3 } }),
    /identifier\.x\.maxlength: "maxlength" is not known here: did you mean "max_length"\?/,
  ],
  [
    'A20: option of another handler',
    thingsOf({ x: { type: 'TimeHandler', values: ['1'] } }),
    /identifier\.x\.values: "values" is not known here/,
  ],
  [
    'A20: unknown payload key',
    thingsOf({ x: TEXT }, { payload: { requird: true } }),
    /things\.payload\.requird: .*did you mean "required"/,
  ],
  [
    'A20: legacy payload type',
    thingsOf({ x: TEXT }, { payload: { type: ['String'], required: true } }),
    /things\.payload\.type: "type" is not known here: use required/,
  ],
  [
    'other date format',
    thingsOf({ x: { type: 'DateHandler', canonical_format: '%d.%m.%Y' } }),
    /canonical_format: A canonical_format is %Y%m%d or %Y-%m-%d/,
  ],
  [
    'empty enum',
    thingsOf({ x: { type: 'EnumHandler', values: [] } }),
    /values: It must list at least one value/,
  ],
  [
    'range upside down',
    thingsOf({ x: { type: 'IntHandler', range: [3, 1] } }),
    /range: The first element of a range must not be above the second/,
  ],
  ['range of one', thingsOf({ x: { type: 'FloatHandler', range: [3] } }), /identifier\.x\.range/],
  ['max_length 0', thingsOf({ x: { type: 'StringHandler', max_length: 0 } }), /identifier\.x\.max_length/],
  ['list of rules, as in 1.x', thingsOf({ x: [TEXT] }), /identifier\.x/],
  [
    'expver with an empty realm of defaults',
    thingsOf({ x: { type: 'ExpverHandler', default: ['1'] } }),
    /identifier\.x\.default: It must be text/,
  ],
  ['point is reserved', thingsOf({ point: TEXT }), /identifier\.point: "point" is what listeners ask for/],
  ['name with a space', thingsOf({ 'a b': TEXT }), /identifier\.a b: This name cannot be used/],
  [
    'K2: polygon with another name',
    thingsOf({ area: POLYGON }),
    /identifier\.area: A field of type PolygonHandler must be called polygon/,
  ],
  [
    'K2: cloud with another name',
    thingsOf({ points: CLOUD }),
    /identifier\.points: A field of type PointCloudHandler must be called point_cloud/,
  ],
  ['K2: polygon that is none', thingsOf({ polygon: TEXT }), /identifier\.polygon: "polygon" is a geometry/],
  [
    'K2: two geometries',
    withTopic({ base: 'a', key_order: ['x'] }, { x: TEXT, polygon: POLYGON, point_cloud: CLOUD }),
    /a\.identifier: An event type has one geometry, and not polygon and point_cloud/,
  ],
  [
    'too many points',
    withTopic({ base: 'a', key_order: ['x'] }, { x: TEXT, point_cloud: { ...CLOUD, max_points: 10_001 } }),
    /max_points: It must not be more than 10000/,
  ],
  [
    'cloud in key_order',
    withTopic({ base: 'a', key_order: ['x', 'point_cloud'] }, { x: TEXT, point_cloud: CLOUD }),
    /key_order: point_cloud cannot be in the order/,
  ],
  [
    'K1: field missing in key_order',
    withTopic({ base: 'a', key_order: ['x'] }, { x: TEXT, y: TEXT }),
    /a\.topic\.key_order: y is missing/,
  ],
  [
    'K1: key_order names no field',
    withTopic({ base: 'a', key_order: ['x', 'y'] }),
    /a\.topic\.key_order: "y" is not a field of the identifier/,
  ],
  [
    'K1: twice in key_order',
    withTopic({ base: 'a', key_order: ['x', 'x'] }),
    /a\.topic\.key_order: x stands twice/,
  ],
  [
    'K1: empty key_order',
    withTopic({ base: 'a', key_order: [] }),
    /a\.topic\.key_order: It must list the fields/,
  ],
  [
    'no topic',
    { notification_schema: { a: { identifier: { x: TEXT } } } },
    /notification_schema\.a\.topic: "topic" is missing/,
  ],
  ['no base', withTopic({ key_order: ['x'] }), /a\.topic\.base: "base" is missing/],
  [
    'typo in the event',
    {
      notification_schema: {
        a: { topic: { base: 'a', key_order: ['x'] }, identifier: { x: TEXT }, storge_policy: {} },
      },
    },
    /a\.storge_policy: .*did you mean "storage_policy"/,
  ],
  [
    'event that is no mapping',
    { notification_schema: { a: 'x' } },
    /notification_schema\.a: It must be a mapping/,
  ],
  [
    'schema that is a list',
    { notification_schema: [] },
    /notification_schema: It must map each event type to its schema/,
  ],
  [
    'typo in strict',
    { ...AVISO2, notification_schema_strct: true },
    /"notification_schema_strct" is not known here: did you mean "notification_schema_strict"/,
  ],
  [
    'strict that is text',
    { ...AVISO2, notification_schema_strict: 'yes' },
    /notification_schema_strict: It must be true or false/,
  ],
  [
    'event type with a slash',
    { notification_schema: { 'a/b': {} } },
    /notification_schema\.a\/b: This name cannot be used for an event type/,
  ],
  [
    'auth: typo',
    thingsOf({ x: TEXT }, { auth: { required: true, read_role: { r: ['a'] } } }),
    /things\.auth\.read_role: .*did you mean "read_roles"/,
  ],
  ['auth: no required', thingsOf({ x: TEXT }, { auth: {} }), /things\.auth\.required: "required" is missing/],
  [
    'auth: roles without a realm',
    thingsOf({ x: TEXT }, { auth: { required: true, read_roles: ['a'] } }),
    /auth\.read_roles.*localrealm: \[reader\]/,
  ],
  [
    'auth: roles that are no list',
    thingsOf({ x: TEXT }, { auth: { required: true, write_roles: { r: 'a' } } }),
    /auth\.write_roles\.r: Roles are given as a list/,
  ],
  [
    'auth: no role',
    thingsOf({ x: TEXT }, { auth: { required: true, read_roles: { r: [] } } }),
    /auth\.read_roles\.r: It must list at least one role/,
  ],
  [
    'auth: no realm',
    thingsOf({ x: TEXT }, { auth: { required: true, read_roles: {} } }),
    /auth\.read_roles: It must have at least one realm/,
  ],
  [
    'auth: padded role',
    thingsOf({ x: TEXT }, { auth: { required: true, read_roles: { r: [' a'] } } }),
    /auth\.read_roles\.r\.0: A role must not be empty or begin or end with a space/,
  ],
  [
    'auth: padded realm',
    thingsOf({ x: TEXT }, { auth: { required: true, read_roles: { 'r ': ['a'] } } }),
    /A realm must not be empty or begin or end with a space/,
  ],
  [
    'auth: roles without required',
    thingsOf({ x: TEXT }, { auth: { required: false, read_roles: { r: ['a'] } } }),
    /things\.auth: Roles and plugins need "required: true"/,
  ],
  [
    'auth: no plugin',
    thingsOf({ x: TEXT }, { auth: { required: true, plugins: [] } }),
    /auth\.plugins: It must list at least one plugin/,
  ],
  [
    'auth: unknown plugin',
    thingsOf({ x: TEXT }, { auth: { required: true, plugins: ['ldap'] } }),
    /auth\.plugins\.0: The only plugin is ecpds/,
  ],
  [
    'storage: no unit',
    thingsOf({ x: TEXT }, { storage_policy: { retention_time: '7' } }),
    /storage_policy\.retention_time: .* such as 7d/,
  ],
  [
    'storage: too long',
    thingsOf({ x: TEXT }, { storage_policy: { retention_time: '9223372037s' } }),
    /storage_policy\.retention_time/,
  ],
  [
    'storage: size 0',
    thingsOf({ x: TEXT }, { storage_policy: { max_size: '0Mi' } }),
    /storage_policy\.max_size: .* such as 64Mi/,
  ],
  [
    'storage: small m',
    thingsOf({ x: TEXT }, { storage_policy: { max_size: '10m' } }),
    /storage_policy\.max_size/,
  ],
  [
    'storage: count 0',
    thingsOf({ x: TEXT }, { storage_policy: { max_messages: 0 } }),
    /storage_policy\.max_messages/,
  ],
  [
    'storage: typo',
    thingsOf({ x: TEXT }, { storage_policy: { max_message: 1 } }),
    /did you mean "max_messages"/,
  ],
]

describe('parseSchemaFile2()', () => {
  for (const [name, content, message] of ROWS) {
    it(`refuses a file: ${name}`, () => {
      refuses([content], message)
    })
  }

  it('B9: refuses bases that are no names', () => {
    for (const base of ['', 'a.b', 'a%b', 'a*b', 'a>b', 'a b', 'é', '_a', '-a', 'x'.repeat(65)]) {
      refuses([withTopic({ base, key_order: ['x'] })], /a\.topic\.base: A base has letters/)
    }
  })

  it('B8, B9: refuses a base that two event types have, in whatever case, in whatever file', () => {
    const one = withTopic({ base: 'mars', key_order: ['x'] })
    const two = {
      notification_schema: { b: { topic: { base: 'Mars', key_order: ['x'] }, identifier: { x: TEXT } } },
    }
    const message =
      /file1\.json, notification_schema\.b\.topic\.base: The bases "mars" and "Mars" of a and b are the same/
    refuses([one, two], message)
  })

  it('refuses an event type that a 1.x schema defines, too', () => {
    const one = { a: event('/ec/a/', '{x}') }
    refuses(
      [one, withTopic({ base: 'a', key_order: ['x'] })],
      /a: This event type is already defined in file0\.json/,
    )
  })

  it('refuses keys that a 1.x schema could write, too', () => {
    const one = { b: event('/aviso2/a/', '{x}') }
    refuses([one, withTopic({ base: 'a', key_order: ['x'] })], /keys could be notification keys of b/)
  })

  it("reads a schema in the server's whole configuration, beside those of 1.x", () => {
    const server = {
      application: { host: '127.0.0.1' },
      auth: { enabled: false },
      notification_schema_strict: true,
      ...AVISO2,
    }
    const schemas = createSchemas([
      { source: 'server.yaml', content: server },
      { source: 'one.json', content: { flight: event('/tmp/flight/', '{x}') } },
    ])
    assert.deepEqual([...schemas.events], ['mars', 'dissemination', 'extreme', 'flight'])
    assert.deepEqual(schemas.roots.toSorted(), [
      '/aviso2/diss/',
      '/aviso2/extreme/',
      '/aviso2/mars/',
      '/tmp/flight/',
    ])
    assert.equal(schemas.require('mars').generation, 2)
    assert.equal(schemas.require('flight').generation, 1)
  })

  it('D14: takes no event type where the schema is strict and empty', () => {
    const schemas = createSchemas([
      { source: 'none', content: { notification_schema: {}, notification_schema_strict: true } },
    ])
    assert.deepEqual(schemas.events, [])
    assert.throws(() => schemas.require('mars'), { code: 'ERR_UNKNOWN_EVENT' })
  })

  it('reads every member that 2.x has', () => {
    const policy = {
      retention_time: '1w',
      max_messages: 500_000,
      max_size: '100Ki',
      allow_duplicates: true,
      compression: true,
    }
    const extra = {
      storage_policy: policy,
      description: 'Things',
      endpoint: {},
      payload: { required: true },
      auth: { required: false },
    }
    const schemas = createSchemas([{ source: 'things', content: thingsOf({ x: TEXT }, extra) }])
    const { storage, isPayloadRequired } = schemas.require('things')
    assert.deepEqual(storage, { ageMs: 604_800_000, count: 500_000, bytes: 102_400 })
    const decimal = thingsOf({ x: TEXT }, { storage_policy: { max_size: '1K' } })
    const { storage: small } = createSchemas([{ source: 'things', content: decimal }]).require('things')
    assert.equal(small?.bytes, 1_000)
    assert.equal(isPayloadRequired, true)
    assert.equal(createAviso2Schemas().require('mars').storage, undefined)
  })
})
